// How values are written: as the tables of the study write them.

export const spaced = (text) => String(text ?? "").replaceAll("_", " ");

export function number(value, digits = 2) {
  if (value === "" || value === null || value === undefined) return "";
  const found = Number(value);
  if (Number.isNaN(found)) return String(value);
  return (Math.round(found * 10 ** digits) / 10 ** digits + 0).toFixed(digits);
}

export function pText(value) {
  if (value === "" || value === null || value === undefined) return "";
  return Number(value) < 0.001 ? "< 0.001" : Number(value).toFixed(3);
}

export const isWhole = (unit) => unit === "iteration" || unit === "levels";

/** Whether a claim's value lies on a scale that the list draws. */
export const isDrawn = (unit) => unit === "percent" || unit.startsWith("points");

/** A claim's value or bound, with the digits of the printed table; a loss has three. */
export const shown = (value, unit) => number(value, isWhole(unit) ? 0 : isDrawn(unit) ? 2 : 3);

export const unitText = (unit) => (unit === "percent" ? " %" : isWhole(unit) ? "" : ` ${unit}`);

export const short = (hash) => (hash ? `${hash.slice(0, 12)}…` : "");

export const SIGN_WORDS = { r: "right", w: "wrong", u: "not judged", ".": "not asked" };

/** How a verdict is shown: good, bad, open or plain. */
export function tone(verdict) {
  const text = String(verdict).toLowerCase();
  if (/not tested|answered|no figure|not comparable/.test(text) || text === "") return "plain";
  if (/inconclusive|open|unclear/.test(text)) return "open";
  if (/contradict|differs|opposite/.test(text)) return "bad";
  if (/holds|as expected|confirm|same|agree/.test(text)) return "good";
  return "plain";
}

/** Seconds as people say them. */
export function time(seconds) {
  if (seconds < 0.05) return "< 0.1 s";
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Bytes as people say them. */
export function size(bytes) {
  if (bytes < 1e6) return `${Math.max(bytes / 1e3, 0.1).toFixed(bytes < 1e4 ? 1 : 0)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}
