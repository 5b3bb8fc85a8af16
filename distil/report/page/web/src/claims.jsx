// The claims: one row each, its interval drawn, its verdicts in words. Columns that this file does
// not know are shown where a claim is opened, so that a new one needs no change here.
import { isDrawn, isWhole, pText, shown, spaced, tone, unitText } from "./words.js";

// Columns with a place of their own in the list or above the evidence.
const PLACED = new Set(["id", "claim", "estimand", "unit", "published", "published_sd", "expected",
  "here", "sd", "low", "high", "reason", "p", "p_holm", "n", "clusters", "test", "label", "kind"]);
const KINDS = { accuracy: "Measured: accuracies", effect: "Tested: effects", answer: "Asked by the review" };

/** The name of a claim's row in addresses: C4/held_out. */
export const keyOf = (claim) => (claim.estimand === undefined ? claim.id : `${claim.id}/${claim.estimand}`);

const isVerdict = (name) => /verdict/.test(name) || name === "direction" || name === "size";

/** The verdicts of a claim: [column, word]. */
export const verdictsOf = (claim) =>
  Object.entries(claim).filter(([name, value]) => isVerdict(name) && value !== "");

/** The scale of claims of one unit: percentages from 0 to 100, points around 0. */
function scaleOf(claims, unit) {
  const values = claims.filter((claim) => claim.unit === unit)
    .flatMap((claim) => [claim.low, claim.high, claim.here, claim.published])
    .filter((value) => value !== "" && value !== undefined).map(Number).filter(Number.isFinite);
  if (unit === "percent") return [0, 100];
  const reach = Math.max(5, ...values.map(Math.abs));
  const rounded = Math.ceil(reach / 10) * 10;
  return [Math.min(0, ...values) < 0 ? -rounded : 0, rounded];
}

export function Interval({ claim, claims, wide }) {
  if (claim.here === "" || claim.here === undefined || !isDrawn(claim.unit)) return null;
  const [least, most] = scaleOf(claims, claim.unit);
  const [width, height] = [240, 22];
  const edge = 34; // room for the ends of the scale
  const at = (value) => edge + ((Number(value) - least) / (most - least)) * (width - 2 * edge);
  const clip = (value) => Math.min(width - edge, Math.max(edge, at(value)));
  const published = claim.published !== "" && claim.published !== undefined;
  const told = `${shown(claim.here, claim.unit)}${unitText(claim.unit)}`
    + (claim.low !== "" ? `, interval ${shown(claim.low, claim.unit)} to ${shown(claim.high, claim.unit)}` : "")
    + (published ? `, published ${shown(claim.published, claim.unit)}` : "")
    + `; on a scale from ${least} to ${most}`;
  return (
    <svg class={`interval ${wide ? "wide" : ""}`} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={told}>
      <text class="end" x={edge - 9} y="15" text-anchor="end">{least}</text>
      <text class="end" x={width - edge + 9} y="15">{most}</text>
      <line class="axis" x1={edge} x2={width - edge} y1="11" y2="11" />
      {least < 0 ? <line class="zero" x1={at(0)} x2={at(0)} y1="2" y2="20" /> : null}
      {claim.low !== "" ? <line class="bar" x1={clip(claim.low)} x2={clip(claim.high)} y1="11" y2="11" /> : null}
      {published ? (
        <path class="published" d={`M${clip(claim.published)} 3.5l5.5 7.5l-5.5 7.5l-5.5 -7.5z`} />
      ) : null}
      <circle class="dot" cx={clip(claim.here)} cy="11" r="4" />
    </svg>
  );
}

export function Badge({ name, text }) {
  return <span class={`badge ${tone(text)}`}>{name === "size" ? "size: " : ""}{spaced(text)}</span>;
}

/** Claims in groups of their kind, in the order of the table. */
function grouped(claims) {
  const found = new Map();
  for (const claim of claims) {
    const kind = claim.kind ?? "";
    if (!found.has(kind)) found.set(kind, []);
    found.get(kind).push(claim);
  }
  return [...found];
}

function Row({ claim, claims, paper, go }) {
  const key = keyOf(claim);
  const value = shown(claim.here, claim.unit);
  return (
    <li>
      <a href={`#${key}`} class="claim" onClick={(event) => { event.preventDefault(); go(key); }}>
        <span class="id">{claim.id}</span>
        <span class="sentence">
          {claim.claim} {claim.estimand ? <span class="estimand">{spaced(claim.estimand)}</span> : null}
        </span>
        <span class="value">{value}{value && !isWhole(claim.unit) ? <span class={`unit ${claim.unit === "percent" ? "" : "below"}`}> {claim.unit === "percent" ? "%" : claim.unit}</span> : null}</span>
        <Interval claim={claim} claims={claims} />
        {paper ? <span class="paper">{claim.published ? `paper ${shown(claim.published, claim.unit)}` : ""}</span> : null}
        <span class="verdicts">{verdictsOf(claim).map(([name, text]) => <Badge key={name} name={name} text={text} />)}</span>
      </a>
    </li>
  );
}

export function Claims({ study, claims, go }) {
  const anyPublished = claims.some((claim) => claim.published !== "" && claim.published !== undefined);
  return (
    <section class="claims" aria-labelledby="claims-title">
      <h2 id="claims-title">Claims</h2>
      <p class="lead">
        Open a claim to see the answers it is counted from. Dot and bar: what was found here and its
        {" "}{100 - 100 * Number(study.settings.alpha)} % interval, on a line whose ends are given; a dotted line stands at 0.
        {anyPublished ? " Diamond: the published value." : " This study has no published values; the direction that the paper leads one to expect is all it tests."}
      </p>
      {grouped(claims).map(([kind, mine]) => (
        <div key={kind}>
          {kind ? <h3>{KINDS[kind] ?? spaced(kind)}</h3> : null}
          <ul class={`claim-list ${anyPublished ? "beside-paper" : ""}`}>
            {mine.map((claim) => <Row key={keyOf(claim)} claim={claim} claims={claims} paper={anyPublished} go={go} />)}
          </ul>
        </div>
      ))}
    </section>
  );
}

/** A claim opened: its sentence, value, reason, and every other column of the table. */
export function ClaimHead({ claim, claims }) {
  const rest = Object.entries(claim).filter(([name, value]) => value !== "" && !PLACED.has(name) && !isVerdict(name));
  const facts = [
    ["found here", `${shown(claim.here, claim.unit)}${unitText(claim.unit)}`],
    ["interval", claim.low !== "" && claim.low !== undefined && claim.unit !== "levels" ? `${shown(claim.low, claim.unit)} to ${shown(claim.high, claim.unit)}` : ""],
    ["standard deviation over seeds", claim.sd ? shown(claim.sd, claim.unit) : ""],
    ["published", claim.published ? shown(claim.published, claim.unit) + (claim.published_sd ? ` (${shown(claim.published_sd, claim.unit)})` : "") : ""],
    ["expected", claim.expected],
    ["test", claim.test],
    ["p", pText(claim.p)],
    ["Holm-adjusted p", pText(claim.p_holm)],
    ["questions", claim.n && claim.clusters && claim.clusters !== claim.n ? `${claim.n} in ${claim.clusters} groups` : claim.n],
  ].filter(([, value]) => value && value.trim() !== "");
  return (
    <header class="claim-head">
      <p class="crumb">{claim.id} · {spaced(claim.estimand)}</p>
      <h2>{claim.claim}</h2>
      <div class="head-line">
        <Interval claim={claim} claims={claims} wide />
        {verdictsOf(claim).map(([name, text]) => <Badge key={name} name={name} text={text} />)}
      </div>
      <p class="reason">{claim.reason}</p>
      <dl class="facts">
        {facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
      </dl>
      <details class="more">
        <summary>every column of this row</summary>
        <dl class="columns">
          {rest.map(([name, value]) => <div key={name}><dt>{spaced(name)}</dt><dd>{value}</dd></div>)}
        </dl>
      </details>
    </header>
  );
}
