// Two runs: which cells of which tables moved, and by which causes (distil diff).
import { useState } from "preact/hooks";
import { Copy } from "./card.jsx";
import { number, spaced, time } from "./words.js";

const MOST = 40; // cells shown of one group

const tableOf = (cell) => { const [first, ...rest] = cell.split(":"); return /^[A-Z]+\d+[a-z]?$/.test(first) ? "claims" : rest.length ? first : "claims"; };
const isNumber = (text) => text !== null && text !== "" && Number.isFinite(Number(text));
const decimal = (text) => (Math.abs(Number(text)) < 1e-3 && Number(text) !== 0 ? Number(text).toPrecision(2) : number(text, 4));
const value = (text) => (text === null || text === "" ? "nothing" : isNumber(text) && /[.e]/.test(text) ? decimal(text) : text);

/** The rows of a file made by `distil diff --json`; throws where it is none. */
export function readMoved(text) {
  const rows = JSON.parse(text);
  const fits = Array.isArray(rows) && rows.every((row) => typeof row?.cell === "string" && typeof row.causes === "object" && row.causes !== null
    && Object.values(row.causes).every((lines) => Array.isArray(lines)));
  if (!fits) throw new Error("it holds no list of cells with their causes");
  return rows;
}

/** Cells of the same causes together, the most first. */
function grouped(rows) {
  const found = new Map();
  for (const row of rows) {
    const key = JSON.stringify(row.causes);
    if (!found.has(key)) found.set(key, { causes: row.causes, rows: [] });
    found.get(key).rows.push(row);
  }
  return [...found.values()].sort((a, b) => b.rows.length - a.rows.length);
}

function Cell({ study, row }) {
  const [id, , estimand] = row.cell.split(":");
  const key = `${id}/${estimand}`;
  const named = tableOf(row.cell) === "claims" && key in study.evidence.cells;
  const change = isNumber(row.before) && isNumber(row.after) ? Number(row.after) - Number(row.before) : null;
  return (
    <tr>
      <th scope="row">{named ? <a href={`#${key}`}>{row.cell}</a> : row.cell}</th>
      <td class="number" title={row.before ?? ""}>{value(row.before)}</td>
      <td class="number" title={row.after ?? ""}>{value(row.after)}</td>
      <td class="number">{change === null ? "" : `${change > 0 ? "+" : ""}${number(change, Number.isInteger(change) ? 0 : 4)}`}</td>
    </tr>
  );
}

function Group({ study, group }) {
  const [whole, setWhole] = useState(false);
  const rows = whole ? group.rows : group.rows.slice(0, MOST);
  const causes = Object.entries(group.causes);
  return (
    <article class="moved">
      <h3>{causes.length ? causes.map(([cause]) => <span key={cause} class={`cause ${cause}`}>{cause}</span>) : <span class="cause">no cause is recorded</span>} <span class="fine">{group.rows.length} {group.rows.length === 1 ? "cell" : "cells"}</span></h3>
      {causes.length ? <dl class="columns">{causes.map(([cause, lines]) => <div key={cause}><dt>{cause}</dt><dd>{lines.map((line) => <div key={line}>{line}</div>)}</dd></div>)}</dl> : null}
      <div class="scroll" tabIndex={0} role="region" aria-label={`cells moved by ${causes.map(([cause]) => cause).join(", ") || "no recorded cause"}`}>
        <table class="plain">
          <caption class="unseen">Cells that moved</caption>
          <thead><tr><th scope="col">cell</th><th scope="col" class="number">before</th><th scope="col" class="number">after</th><th scope="col" class="number">change</th></tr></thead>
          <tbody>{rows.map((row) => <Cell key={row.cell} study={study} row={row} />)}</tbody>
        </table>
      </div>
      {rows.length < group.rows.length ? <button type="button" onClick={() => setWhole(true)}>show all {group.rows.length} cells</button> : null}
    </article>
  );
}

function Runs({ runs }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="runs of the study">
      <table class="plain">
        <caption>Runs of this study</caption>
        <thead><tr><th scope="col">run</th><th scope="col">started, UTC</th><th scope="col" class="number">jobs</th><th scope="col" class="number">work</th></tr></thead>
        <tbody>{runs.map((run) => <tr key={run.name}><th scope="row">{run.name}</th><td>{run.started.slice(0, 19).replace("T", " ")}</td><td class="number">{run.jobs}</td><td class="number">{time(run.seconds)}</td></tr>)}</tbody>
      </table>
    </div>
  );
}

export function Compare({ study, run }) {
  const [file, setFile] = useState(null);
  const [filters, setFilters] = useState({ table: "", cause: "", search: "" });
  const own = run?.compared;
  const told = file?.rows ? { rows: file.rows, what: file.name } : own?.moved ? { rows: own.moved, what: `${own.before} → ${own.after}` } : null;
  const read = async (event) => {
    const chosen = event.currentTarget.files[0];
    if (!chosen) return;
    try {
      setFile({ name: chosen.name, rows: readMoved(await chosen.text()) });
    } catch (error) {
      setFile({ name: chosen.name, fault: `${chosen.name} is no output of distil diff --json: ${error.message}` });
    }
  };
  const set = (name) => (event) => setFilters({ ...filters, [name]: event.currentTarget.value });
  const rows = (told?.rows ?? []).filter((row) => (!filters.table || tableOf(row.cell) === filters.table)
    && (!filters.cause || (filters.cause === "none" ? Object.keys(row.causes).length === 0 : filters.cause in row.causes))
    && row.cell.toLowerCase().includes(filters.search.trim().toLowerCase()));
  const tables = [...new Set((told?.rows ?? []).map((row) => tableOf(row.cell)))].sort();
  const causes = [...new Set((told?.rows ?? []).flatMap((row) => Object.keys(row.causes)))].sort();
  const named = study.name === "sample" ? "" : ` --study ${study.name}`;
  return (
    <section class="compare">
      <h2>Compare</h2>
      <p class="lead">Two runs of the study, or its results and those of another folder: the cells that moved, those of the same causes together.</p>
      {run?.runs?.length ? <Runs runs={run.runs} /> : null}
      {!told && !own ? <p class="none">There was one run only; a second one is compared with it here.</p> : null}
      <h3>Compare any two</h3>
      <p>Run this command, then choose the file that it writes:</p>
      <p><Copy text={`distil diff latest~1 latest --json${named} > moved.json`} /></p>
      <p class="fine">A side is a run as above, <code>latest~2</code>, a time, or a folder such as <code>results/{study.name}</code> of another copy.</p>
      <div class="filters">
        <label class="choice"><span>the file that distil diff wrote</span><input type="file" accept=".json,application/json" onChange={read} /></label>
        {file ? <button type="button" onClick={() => setFile(null)}>put it away</button> : null}
      </div>
      {file?.fault ? <p class="fault" role="alert">{file.fault}</p> : null}
      {!told && own?.fault ? <p class="none">The last two runs cannot be compared: {own.fault}</p> : null}
      {told ? (
        <>
          <div class="filters">
            <label class="choice search"><span>search</span><input type="search" value={filters.search} placeholder="a cell" onInput={set("search")} /></label>
            {tables.length > 1 ? <label class="choice"><span>table</span><select value={filters.table} onChange={set("table")}><option value="">all</option>{tables.map((name) => <option key={name} value={name}>{spaced(name)}</option>)}</select></label> : null}
            {causes.length > 1 ? <label class="choice"><span>cause</span><select value={filters.cause} onChange={set("cause")}><option value="">all</option>{causes.map((name) => <option key={name}>{name}</option>)}</select></label> : null}
          </div>
          <p class="legend" role="status">{told.what}: {told.rows.length === 0 ? "no number of any table differs" : `${rows.length} of ${told.rows.length} cells moved`}</p>
          {grouped(rows).map((group) => <Group key={JSON.stringify(group.causes)} study={study} group={group} />)}
        </>
      ) : null}
    </section>
  );
}
