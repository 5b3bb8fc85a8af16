// Problems to look at, beside their pictures, with corrections made in place.
import { useEffect, useState } from "preact/hooks";
import { load } from "./data.js";
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
/** An entry as its file has it: the study's own list names every kind's place and value alike. */
function asWritten({ id, field, was, value, ...signed }) {
  if (field === "problem") return { add: id, ...value, ...signed };
  if (field === "all") return { confirm: id, was, ...signed };
  return { id, field, was, value, ...signed };
}

const kindOf = (entry) => Object.keys(KINDS).find((kind) => entry[kind] !== undefined);

const asDict = (options) => (options?.length ? Object.fromEntries(options.map((one) => [one.label, one.text])) : null);
const current = (row, field) => (field === "options" ? asDict(row.options) : row[field] || null);

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

function Field({ row, field, entry, edit }) {
  const was = current(row, field);
  const [open, setOpen] = useState(false);
  const asText = (value) => (value === null ? "" : typeof value === "object" ? Object.entries(value).map(([label, text]) => `${label}: ${text}`).join("\n") : value);
  const value = entry ? entry.value : was;
  const take = (text) => {
    const trimmed = text.trim();
    if (field !== "options") return edit({ value: trimmed || null, was });
    const pairs = trimmed.split("\n").map((line) => /^\s*([^:]+):\s*(.*)$/.exec(line)).filter(Boolean);
    return edit({ value: pairs.length ? Object.fromEntries(pairs.map(([, label, rest]) => [label.trim(), rest.trim()])) : null, was });
  };
  if (field === "options" && was === null && !open) return null;
  return (
    <div class={`field ${entry ? "edited" : ""}`}>
      <p class="field-name">{field}{entry ? (JSON.stringify(entry.value) === JSON.stringify(was) ? " · confirmed" : " · changed") : ""}</p>
      <div class="field-text">
        {field === "options" && value ? (
          <ol class="options">{Object.entries(value).map(([label, text]) => <li key={label}><b>({label})</b> <Formula text={text} /></li>)}</ol>
        ) : field === "answer" ? <Formula text={value} /> : <Mixed text={value} />}
      </div>
      {open ? (
        <textarea aria-label={`${field} of ${row.id}`} rows={field === "answer" ? 1 : 4} value={asText(value)} onInput={(event) => take(event.currentTarget.value)} />
      ) : null}
      <p class="what-buttons">
        <button type="button" onClick={() => edit({ value: was, was })} aria-label={`confirm the ${field} of ${row.id}`}>confirm</button>
        <button type="button" aria-expanded={open} onClick={() => setOpen(!open)} aria-label={`${open ? "close" : "edit"} the ${field} of ${row.id}`}>{open ? "close" : "edit"}</button>
        {entry ? <button type="button" onClick={() => edit(null)} aria-label={`undo the change of the ${field} of ${row.id}`}>undo</button> : null}
      </p>
    </div>
  );
}

function Item({ listed, entries, setEntries, who, when, why }) {
  const [shard, setShard] = useState(null);
  useEffect(() => { let left = false; load(`texts/${listed.home}`).then((found) => { if (!left) setShard(found); }, () => {}); return () => { left = true; }; }, [listed.home]);
  const row = shard?.problems[listed.id];
  if (!row) return <article class="review-item"><h3>{listed.id}</h3><p class="waiting">Loading ...</p></article>;
  const pictures = shard.pictures[listed.id] ?? {};
  const edit = (field) => (change) => {
    const rest = entries.filter((one) => !(one.id === row.id && one.field === field));
    setEntries(change === null ? rest : [...rest, { id: row.id, field, ...change, who, when, why: why || (JSON.stringify(change.value) === JSON.stringify(change.was) ? "read as printed" : "read wrongly") }]);
  };
  return (
    <article class="review-item" id={`review-${row.id}`}>
      <header><h3>{row.id}</h3><span class="fine">page {row.page} · confidence {Number(row.confidence).toFixed(2)}{listed.corrected ? " · corrected before" : ""}</span></header>
      {row.flags.length ? <p class="flags">{row.flags.map(spaced).join(", ")}</p> : null}
      <div class="beside">
        <div><Picture picture={pictures.statement} what="statement" name={row.id} /><Picture picture={pictures.key} what="key" name={row.id} /></div>
        <div>{FIELDS.map((field) => <Field key={field} row={row} field={field} entry={entries.find((one) => one.id === row.id && one.field === field)} edit={edit(field)} />)}</div>
      </div>
    </article>
  );
}

/** A problem that was not read: its number in the paper, page, statement and answer. */
function Missed({ study, entries, setEntries, when }) {
  const [row, setRow] = useState({ add: "", page: "1", statement: "", answer: "" });
  const set = (name) => (event) => setRow({ ...row, [name]: event.currentTarget.value });
  const known = study.review.some((one) => one.id === row.add);
  const fits = /^\d{4}-([a-z0-9-]{1,40}-)?t?\d{1,3}$/.test(row.add) && !known && row.statement.trim() && row.answer.trim() && /^[1-9]\d*$/.test(row.page);
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
      {known ? <p class="flags">{row.add} is there already</p> : null}
      <p class="what-buttons"><button type="button" disabled={!fits} onClick={add}>add it</button></p>
    </details>
  );
}

export function Review({ study, wanted }) {
  const flagged = study.review.filter((one) => one.flags.length > 0);
  const homes = [...new Set(study.review.map((one) => one.home))].sort();
  const [home, setHome] = useState(wanted ? (study.review.find((one) => one.id === wanted)?.home ?? "flagged") : flagged.length ? "flagged" : homes.at(-1));
  const [entries, setEntries] = useState([]);
  const [who, setWho] = useState(() => { try { return localStorage.getItem("reviewer") ?? ""; } catch { return ""; } });
  const [why, setWhy] = useState("");
  const [count, setCount] = useState(20);
  const when = new Date().toISOString().slice(0, 10);
  const standing = study.corrections.map(asWritten);
  // The problem of the address first, then those with a doubt.
  const rank = (one) => (one.id === wanted ? -1 : one.flags.length ? 0 : 1);
  const shown = (home === "flagged" ? flagged : study.review.filter((one) => one.home === home))
    .toSorted((a, b) => rank(a) - rank(b) || (a.id < b.id ? -1 : 1));
  const named = entries.map((entry) => ({ ...entry, who: who || "a reader" }));
  const replaced = new Set(named.filter((entry) => entry.id).map((entry) => `${entry.id} ${entry.field}`));
  const text = corrections([...standing.filter((entry) => !replaced.has(`${entry.id} ${entry.field}`)), ...named]);
  return (
    <section class="review">
      <h2>Review of the problems</h2>
      <p class="lead">
        {flagged.length} of {study.review.length} problems were read with a doubt. Hold the text against the picture; confirm it or edit it, then download the file.
      </p>
      <div class="filters">
        <label class="choice"><span>problems</span>
          <select value={home} onChange={(event) => { setHome(event.currentTarget.value); setCount(20); }}>
            <option value="flagged">with a doubt ({flagged.length})</option>
            {homes.map((name) => <option key={name} value={name}>{name}</option>)}
          </select>
        </label>
        <label class="choice"><span>who corrects</span><input value={who} placeholder="your name" onInput={(event) => { setWho(event.currentTarget.value); try { localStorage.setItem("reviewer", event.currentTarget.value); } catch { /* private window */ } }} /></label>
        <label class="choice"><span>why, for the next entries</span><input value={why} placeholder="such as: read wrongly" onInput={(event) => setWhy(event.currentTarget.value)} /></label>
      </div>
      {shown.length === 0 ? <p class="none">Nothing was read with a doubt.</p> : null}
      {shown.slice(0, count).map((one) => <Item key={one.id} listed={one} entries={entries} setEntries={setEntries} who={who} when={when} why={why} />)}
      {count < shown.length ? <button type="button" onClick={() => setCount(count + 20)}>show more ({shown.length - count})</button> : null}
      <Missed study={study} entries={entries} setEntries={setEntries} when={when} />
      {entries.length ? <aside class="basket" aria-label="corrections">
        <p><b>{entries.length}</b> {entries.length === 1 ? "entry" : "entries"}
          {" "}· <a download="corrections.yaml" href={`data:text/yaml;charset=utf-8,${encodeURIComponent(text)}`}>download corrections.yaml</a>
        </p>
        <p class="fine">Put it at <code>resources/{study.name}/corrections.yaml</code>, name it in the study file under <code>problems.corrections</code>, then: <Copy text={`make reproduce STUDY=${study.name}`} /></p>
      </aside> : null}
    </section>
  );
}
