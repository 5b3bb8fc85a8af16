// The study's tables, as their files hold them, under headers that a reader knows.
import { useMemo, useState } from "preact/hooks";
import { useShard } from "./data.js";
import { number, pText, spaced } from "./words.js";

const MOST = 60; // rows shown at first
const [LONG, PROSE] = [24, 90]; // characters of texts that are broken into lines, narrow and wide ones

/** What each table holds, in the order in which the page shows them. */
export const CAPTIONS = {
  levels: "Words, accuracy (%) and gain (points) by level and section",
  stops: "Accuracy (%) and gain (points) under each way to stop",
  seeds: "Accuracy (%) and gain (points) of each seed, and of all together",
  leakage: "Accuracy (%) and gain (points) on trained, validated and held-out questions",
  graders: "Claims under other readings of the verdicts",
  multiverse: "Gain (points) under every combination of grader, groups, stop and rule for answers not judged",
  agreement: "Agreement of the graders, in %",
  disagreements: "Answers on which graders differ, or that one of them could not judge",
  splits: "Problems and training rows by fold, part, year, section and level",
  traces: "The teacher's traces by year, section, level and status",
  verdicts: "Traces on which the verifier and the grader do not agree",
  problems: "Problems: taken into the study or left out, and why",
  forensics: "Published figures against each other",
  runs: "Single answers in the release, run by run, accuracy in %",
};

// Tables of a release are made from its files, and hold something else under the same names.
const OF_A_RELEASE = {
  levels: "Words of the traces, and accuracy (%) of the adapter of each released level, by section",
  splits: "Evaluated questions that stand in the files of the release, by set and part",
};

const captionOf = (study, name) => (study.kind === "released" && OF_A_RELEASE[name]) || CAPTIONS[name] || spaced(name);

// Headers of columns whose name in the file is an abbreviation or a word of the code.
const HEADS = {
  id: "claim", p_holm: "p, Holm-adjusted", fate: "what became of it", here: "found here", trains: "is trained on", clusters: "grouped by", missing: "answers not judged count as",
  worth: "over the horizon", worth_low: "low", worth_high: "high", worth_p: "p", answers: "answers of", clustered_low: "low, clustered", clustered_high: "high, clustered",
};
const COUNTED = { agreement: "number of answers", levels: "questions", stops: "questions", seeds: "questions", leakage: "questions", multiverse: "questions" };
// Columns that only say where a row belongs: their values lead nowhere.
const PLACES = new Set(["year", "section"]);

const headOf = (table, column) => (column === "n" ? (COUNTED[table] ?? "n") : (HEADS[column] ?? spaced(column)));

/** What the cells of the tables rest on, {table: {row: {column: entry}}}, once it is loaded, and a notice where it is missing. */
export function useCells() {
  const { shard, fault } = useShard("cells");
  return { cells: shard?.tables ?? {}, missing: fault ? <p class="fault" role="alert">{fault}: the numbers below lead nowhere.</p> : null };
}

const isNumber = (text) => text === "" || /^-?\d+(\.\d+)?(e-?\d+)?$/.test(text);
const isDecimal = (text) => /^-?\d*\.\d+(e-?\d+)?$/.test(text);

/** A text of a table as people write it. */
function worded(study, column, text) {
  if (column === "section") return study.sections[text] ?? text;
  if (text === "True" || text === "False") return text === "True" ? "yes" : "no";
  return /^[a-z]+(_[a-z]+)+$/.test(text) ? spaced(text) : text;
}

/** A table of the study with numbers to two digits; cells lead to what they rest on. */
export function Table({ study, table, name, caption, cells }) {
  const [whole, setWhole] = useState(false);
  const asked = useMemo(() => new Set(study.questions.map((question) => question.id)), [study]);
  const filled = table.columns.map((column, place) => [column, place]).filter(([, place]) => table.rows.some((row) => row[place] !== ""));
  const numeric = new Set(filled.map(([, place]) => place).filter((place) => table.rows.every((row) => isNumber(row[place]))));
  const longest = new Map(filled.map(([, place]) => [place, Math.max(...table.rows.map((row) => row[place].length))]));
  const kind = (place) => (numeric.has(place) ? "number" : longest.get(place) > PROSE ? "prose" : longest.get(place) > LONG ? "long" : "short");
  // A whole number among decimals is written like them.
  const decimals = new Set([...numeric].filter((place) => table.rows.some((row) => isDecimal(row[place]))));
  const cell = (column, text, place) => {
    if (text === "") return "";
    if (/^p$|_p$|p_holm/.test(column)) return pText(text);
    return decimals.has(place) || isDecimal(text) ? number(text) : numeric.has(place) ? text : worded(study, column, text);
  };
  const link = (column, text, at) => {
    if (text === "" || PLACES.has(column)) return null;
    if (cells?.[table.names?.[at]]?.[column] !== undefined) return `#table/${name}/${column}/${at + 1}`;
    return column === "problem" && asked.has(text) ? `#problem/${text}` : null;
  };
  const title = caption ?? captionOf(study, name);
  if (filled.length === 0) {
    return <div class="table-box" id={`table-${name}`}><h3>{title}</h3><p class="none">This table has no rows.</p></div>;
  }
  const rows = whole ? table.rows : table.rows.slice(0, MOST);
  return (
    <div class="table-box" id={`table-${name}`}>
      <div class="scroll" tabIndex={0} role="region" aria-label={title}>
        <table class="plain">
          <caption><span>{title}</span></caption>
          <thead><tr>{filled.map(([column, place]) => <th key={column} scope="col" title={column} class={kind(place)}>{headOf(name, column)}</th>)}</tr></thead>
          <tbody>
            {rows.map((row, at) => (
              <tr key={at}>{filled.map(([column, place]) => {
                const to = link(column, row[place], at);
                const text = cell(column, row[place], place);
                return <td key={column} class={kind(place)} dir="auto">{to ? <a href={to}>{text}</a> : text}</td>;
              })}</tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length < table.rows.length ? <p class="fine">The first {rows.length} of {table.rows.length} rows are shown. <button type="button" onClick={() => setWhole(true)}>show all {table.rows.length} rows</button></p> : null}
    </div>
  );
}
