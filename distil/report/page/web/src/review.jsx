// Problems to look at, beside their pictures, with corrections made in place.
import { useState } from "preact/hooks";
import { useShard } from "./data.js";
import { Picture, Copy } from "./card.jsx";
import { Formula, Mixed } from "./maths.jsx";
import { spaced } from "./words.js";

const FIELDS = ["statement", "options", "answer"];
// Keys of the kinds of entries, by the key that tells the kind (distil/review/corrections.py).
const SIGNED = ["who", "when", "why"];
const KINDS = {
  id: ["id", "field", "was", "value", ...SIGNED],
  add: ["add", "page", "box", "statement", "options", "answer", ...SIGNED],
  confirm: ["confirm", "was", ...SIGNED],
};
// Keys that an entry may leave out.
const OPTIONAL = new Set(["options", "box"]);
const PLAIN = new Set(["id", "field", "add", "page", "box", "confirm"]);
const ID = /^(\d{4})-(?:[a-z0-9-]{1,40}-)?t?\d{1,3}$/;
const OPTION = /^\s*([^:]+):\s*(.*)$/;
/** An entry as its file has it: the study's own list names every kind's place and value alike. */
function asWritten({ id, field, was, value, ...signed }) {
  if (field === "problem") return { add: id, ...value, ...signed };
  if (field === "all") return { confirm: id, was, ...signed };
  return { id, field, was, value, ...signed };
}

const kindOf = (entry) => Object.keys(KINDS).find((kind) => entry[kind] !== undefined);
/** What there is one entry of in a file. */
const keyOf = (entry) => (entry.add ? `${entry.add} problem` : entry.confirm ? `${entry.confirm} all` : `${entry.id} ${entry.field}`);

const asDict = (options) => (options?.length ? Object.fromEntries(options.map((one) => [one.label, one.text])) : null);
const current = (row, field) => (field === "options" ? asDict(row.options) : row[field] || null);
const corrected = (row, field) => row.corrections?.find((one) => one.field === field);
/** What was read in a field, before any correction: what an entry holds for. */
const asRead = (row, field) => { const entry = corrected(row, field); return entry ? entry.was : current(row, field); };
/** What stands in a field now. */
const asStands = (row, field) => { const entry = corrected(row, field); return entry ? entry.value : current(row, field); };
const same = (one, two) => JSON.stringify(one) === JSON.stringify(two);
/** An id without the zeros before its number: 2024-fs-7 is 2024-fs-07. */
const numbered = (id) => id.replace(/-(t?)0*(\d+)$/, "-$1$2");

/** Why the study would not take a text (distil/review/corrections.py says the same), or null. */
function latexFault(text) {
  if (!text.trim()) return "is empty";
  if (/[\x00-\x08\x0e-\x1f\x7f]/.test(text)) return "holds a control character";
  if (/(?<!\\)\$(?=\S)[^$]*(?<=\S)\$(?!\d)|(?<!\\)\\[()[\]]/.test(text)) return "holds $...$ or \\( marks: write mathematics without them, and a dollar sign as \\$";
  let depth = 0;
  for (let place = 0; place < text.length && depth >= 0; place += 1) {
    if (text[place] === "\\") place += 1;
    else if (text[place] === "{") depth += 1;
    else if (text[place] === "}") depth -= 1;
  }
  return depth === 0 ? null : "has a brace that is open or too many: a printed brace is \\{ or \\}";
}

export function faultOf(field, value) {
  if (value === null) return null;
  if (field === "options") {
    const labels = Object.keys(value);
    if (labels.length < 2 || !labels.every((label) => /^[A-Z]$/.test(label))) return "is two lines or more, each a label and a text, as A: 12";
    const label = labels.find((one) => latexFault(value[one]));
    return label ? `option ${label} ${latexFault(value[label])}` : null;
  }
  if (field === "answer" && !/[^\s$.,;:∎■□✓✔✅\\]/.test(value)) return "is no answer: leave it empty for none";
  return latexFault(value);
}

function scalar(value) {
  if (value === null || value === undefined || value === "") return "null";
  if (typeof value === "object") return `{${Object.entries(value).map(([label, text]) => `${label}: ${scalar(text)}`).join(", ")}}`;
  return `'${String(value).replace(/\s+/g, " ").trim().replaceAll("'", "''")}'`;
}

/** A corrections file (docs/extending.md) of entries. */
export function corrections(entries) {
  const head = [
    "# Corrections. Keep this file as resources/STUDY/corrections.yaml and name it in the study file,",
    "# under problems.corrections.",
  ];
  const body = entries.map((entry) => {
    const keys = KINDS[kindOf(entry)].filter((key) => !OPTIONAL.has(key) || entry[key] || entry.field);
    return keys.map((key, place) => `${place ? "  " : "- "}${key}: ${PLAIN.has(key) ? entry[key] : scalar(entry[key])}`).join("\n");
  });
  return [...head, "", ...body].join("\n") + "\n";
}

const asText = (value) => (value === null ? "" : typeof value === "object" ? Object.entries(value).map(([label, text]) => `${label}: ${text}`).join("\n") : value);

/** What was typed into a field, as its value and what is wrong with it. */
function typed(field, text) {
  const trimmed = text.trim();
  if (field !== "options" || !trimmed) return { value: trimmed || null, fault: faultOf(field, trimmed || null) };
  const pairs = trimmed.split("\n").map((line) => OPTION.exec(line)).filter(Boolean);
  const value = Object.fromEntries(pairs.map(([, label, rest]) => [label.trim(), rest.trim()]));
  const lost = Object.keys(value).length < trimmed.split("\n").length;
  return { value, fault: lost ? "has a line without a label of its own, as A: 12" : faultOf(field, value) };
}

function Field({ row, field, stands, entry, edit, closed }) {
  const [draft, setDraft] = useState(null);
  const open = draft !== null;
  const value = entry ? entry.value : stands;
  const told = !entry ? "" : same(entry.value, stands) ? " · confirmed" : field === "statement" && entry.value === null ? " · struck out" : " · changed";
  if (field === "options" && value === null && asRead(row, field) === null && !open) return null;
  return (
    <div class={`field ${entry ? "edited" : ""}`}>
      <p class="field-name">{field}{told}</p>
      <div class="field-text">
        {field === "options" && value ? (
          <ol class="options">{Object.entries(value).map(([label, text]) => <li key={label}><b>({label})</b> <Formula text={text} /></li>)}</ol>
        ) : field === "answer" ? <Formula text={value} /> : <Mixed text={value} />}
      </div>
      {open ? (
        <textarea aria-label={`${field} of ${row.id}`} rows={field === "answer" ? 1 : 4} value={draft}
          onInput={(event) => { setDraft(event.currentTarget.value); edit(typed(field, event.currentTarget.value)); }} />
      ) : null}
      {entry?.fault ? <p class="fault" role="alert">The {field} {entry.fault}.</p> : null}
      {closed ? null : <p class="what-buttons">
        {stands === null && field === "statement" && !corrected(row, field) ? null : <button type="button" onClick={() => { setDraft(null); edit({ value: stands, fault: null }); }} aria-label={`confirm the ${field} of ${row.id}`}>confirm</button>}
        <button type="button" aria-expanded={open} onClick={() => setDraft(open ? null : asText(value))} aria-label={`${open ? "close" : "edit"} the ${field} of ${row.id}`}>{open ? "close" : "edit"}</button>
        {entry ? <button type="button" onClick={() => { setDraft(null); edit(null); }} aria-label={`undo the change of the ${field} of ${row.id}`}>undo</button> : null}
      </p>}
    </div>
  );
}

function Item({ listed, entries, setEntries, who, when, why, closed }) {
  const { shard, fault } = useShard(`texts/${listed.home}`);
  const row = shard?.problems[listed.id] ?? shard?.excluded?.[listed.id];
  if (!row) return <article class="review-item"><h3>{listed.id}</h3>{fault ? <p class="fault" role="alert">{fault}</p> : <p class="waiting">Loading ...</p>}</article>;
  const pictures = shard.pictures[listed.id] ?? {};
  // Of a problem that was put in by hand there is one entry, whichever field is edited.
  const added = corrected(row, "problem");
  const own = entries.find((one) => one.add === row.id);
  const put = (key, entry) => setEntries([...entries.filter((one) => keyOf(one) !== key), ...(entry ? [entry] : [])]);
  const edit = (field) => (change) => {
    const { value, fault } = change ?? {};
    const said = (confirmed) => ({ who, when, why: why || (confirmed ? "read as printed" : "read wrongly") });
    if (!added) return put(`${row.id} ${field}`, change && { id: row.id, field, was: asRead(row, field), value, fault, ...said(same(value, asRead(row, field))) });
    const { field: _, was: __, value: standing, ...signed } = added;
    const next = { add: row.id, ...signed, ...standing, ...own, [field]: change ? value : standing[field] };
    const faults = { ...own?.faults, [field]: field === "statement" && value === null ? "is empty; to take the problem out, remove its entry from the file" : fault };
    return put(`${row.id} problem`, FIELDS.every((one) => same(next[one] ?? null, standing[one] ?? null)) && !change ? null
      : { ...next, faults, fault: FIELDS.map((one) => faults[one]).find(Boolean) ?? null, ...said(true), why: why || "compared with the paper" });
  };
  const entryOf = (field) => {
    if (!added) return entries.find((one) => one.id === row.id && one.field === field);
    const stood = added.value[field] ?? null;
    return own && (field in own.faults || !same(own[field] ?? null, stood)) ? { value: own[field] ?? null, fault: own.faults[field] } : undefined;
  };
  return (
    <article class="review-item" id={`review-${row.id}`}>
      <header><h3>{row.id}</h3><span class="fine">page {row.page} · {added ? "put in by hand" : `confidence ${Number(row.confidence).toFixed(2)}`}{listed.corrected && !added ? " · corrected before" : ""}</span></header>
      {listed.excluded?.length ? <p class="flags">not in the study: {listed.excluded.map(spaced).join(", ")}</p> : null}
      {row.flags.length ? <p class="flags">{row.flags.map(spaced).join(", ")}</p> : null}
      {row.statement === undefined ? null : <div class="beside">
        <div><Picture picture={pictures.statement} what="statement" name={row.id} /><Picture picture={pictures.key} what="key" name={row.id} /></div>
        <div>{FIELDS.map((field) => <Field key={field} row={row} field={field} stands={added ? added.value[field] ?? null : asStands(row, field)} entry={entryOf(field)} edit={edit(field)} closed={closed} />)}</div>
      </div>}
    </article>
  );
}

/** A problem that was not read: its number in the paper, page, statement and answer. */
function Missed({ study, entries, setEntries, when }) {
  const [row, setRow] = useState({ add: "", page: "1", statement: "", answer: "" });
  const set = (name) => (event) => setRow({ ...row, [name]: event.currentTarget.value });
  const taken = [...study.review.map((one) => one.id), ...entries.map((one) => one.add).filter(Boolean)];
  const known = taken.find((id) => numbered(id) === numbered(row.add));
  const year = ID.exec(row.add)?.[1];
  const faults = [
    year && !study.shards.texts.includes(year) ? `${year} is no year of this study` : null,
    ...["statement", "answer"].map((field) => { const fault = row[field].trim() && faultOf(field, row[field].trim()); return fault ? `The ${field} ${fault}.` : null; }),
  ].filter(Boolean);
  const fits = year && !known && faults.length === 0 && row.statement.trim() && row.answer.trim() && /^[1-9]\d{0,3}$/.test(row.page);
  const add = () => {
    setEntries([...entries, { ...row, page: row.page, statement: row.statement.trim(), answer: row.answer.trim(), when, why: "it was not read" }]);
    setRow({ add: "", page: "1", statement: "", answer: "" });
  };
  return (
    <details class="review-item missed">
      <summary>Add a problem that was not read</summary>
      <div class="filters">
        <label class="choice"><span>problem, as 2024-fs-13</span><input value={row.add} onInput={set("add")} /></label>
        <label class="choice"><span>page</span><input inputmode="numeric" value={row.page} onInput={set("page")} /></label>
        <label class="choice"><span>answer in the key</span><input value={row.answer} onInput={set("answer")} /></label>
      </div>
      <label class="choice"><span>statement, mathematics in LaTeX</span><textarea rows={3} value={row.statement} onInput={set("statement")} /></label>
      {row.statement ? <div class="field"><p class="field-name">as it will be read</p><Mixed text={row.statement} /></div> : null}
      {known ? <p class="flags">{study.review.some((one) => one.id === known) ? <><a href={`#review/${known}`}>{known}</a> was read: correct it there</> : <>{known} is among your entries already</>}</p> : null}
      {faults.map((fault) => <p key={fault} class="fault" role="alert">{fault}</p>)}
      <p class="what-buttons"><button type="button" disabled={!fits} onClick={add}>add it</button></p>
    </details>
  );
}

/** Why a page takes no corrections; null where it does. */
function closedBy(study) {
  if (study.left_out) return "The exams' words are not part of this copy, so that nothing can be corrected on it: open the page where the study was run.";
  return study.takes_corrections ? null : "This study takes its problems as they are, without corrections (problems.source in its study file).";
}

export function Review({ study, wanted }) {
  const closed = closedBy(study);
  const doubted = (one) => one.flags.length > 0 || one.excluded.length > 0;
  const flagged = study.review.filter(doubted);
  const out = study.review.filter((one) => one.excluded.length > 0).length;
  const homes = [...new Set(study.review.map((one) => one.home))].sort();
  const [home, setHome] = useState(wanted ? (study.review.find((one) => one.id === wanted)?.home ?? "flagged") : flagged.length ? "flagged" : homes.at(-1));
  const [entries, setEntries] = useState([]);
  const [who, setWho] = useState(() => { try { return localStorage.getItem("reviewer") ?? ""; } catch { return ""; } });
  const [why, setWhy] = useState("");
  const [count, setCount] = useState(20);
  const when = new Date().toISOString().slice(0, 10);
  const standing = study.corrections.map(asWritten);
  // The problem of the address first, then those with a doubt.
  const rank = (one) => (one.id === wanted ? -1 : one.excluded.length ? 0 : one.flags.length ? 1 : 2);
  const shown = (home === "flagged" ? flagged : study.review.filter((one) => one.home === home))
    .toSorted((a, b) => rank(a) - rank(b) || (a.id < b.id ? -1 : 1));
  const named = entries.map((entry) => ({ ...entry, who: who || "a reader" }));
  // An entry takes the place of the one that stood for the same.
  const text = corrections([...new Map([...standing, ...named].map((entry) => [keyOf(entry), entry])).values()]);
  const wrong = named.filter((entry) => entry.fault);
  return (
    <section class="review">
      <h2>Review of the problems</h2>
      <p class="lead">
        {flagged.length} of {study.review.length} problems were read with a doubt or are not in the study{out ? `, ${out} of them not` : ""}. Hold the text against the picture; confirm it or edit it, then download the file.
      </p>
      {closed ? <p class="stub">{closed}</p> : null}
      <div class="filters">
        <label class="choice"><span>problems</span>
          <select value={home} onChange={(event) => { setHome(event.currentTarget.value); setCount(20); }}>
            <option value="flagged">with a doubt, or not in the study ({flagged.length})</option>
            {homes.map((name) => <option key={name} value={name}>{name}</option>)}
          </select>
        </label>
        <label class="choice"><span>who corrects</span><input value={who} placeholder="your name" onInput={(event) => { setWho(event.currentTarget.value); try { localStorage.setItem("reviewer", event.currentTarget.value); } catch { /* private window */ } }} /></label>
        <label class="choice"><span>why, for the next entries</span><input value={why} placeholder="such as: read wrongly" onInput={(event) => setWhy(event.currentTarget.value)} /></label>
      </div>
      {shown.length === 0 ? <p class="none">Nothing was read with a doubt.</p> : null}
      {shown.slice(0, count).map((one) => <Item key={one.id} listed={one} entries={entries} setEntries={setEntries} who={who} when={when} why={why} closed={closed} />)}
      {count < shown.length ? <button type="button" onClick={() => setCount(count + 20)}>show more ({shown.length - count})</button> : null}
      {closed ? null : <Missed study={study} entries={entries} setEntries={setEntries} when={when} />}
      {entries.length ? <aside class="basket" aria-label="corrections">
        <p><b>{entries.length}</b> {entries.length === 1 ? "entry" : "entries"}
          {" "}· {wrong.length ? <span class="flags">first mend {wrong.map((entry) => entry.id ?? entry.add).join(", ")}</span> : <a download="corrections.yaml" href={`data:text/yaml;charset=utf-8,${encodeURIComponent(text)}`}>download corrections.yaml</a>}
        </p>
        <p class="fine">Put it at <code>resources/{study.name}/corrections.yaml</code>, name it in the study file under <code>problems.corrections</code>, then: <Copy text={`make reproduce STUDY=${study.name}`} /></p>
      </aside> : null}
    </section>
  );
}
