import "katex/dist/katex.css";
import "./style.css";
import { render } from "preact";
import { useCallback, useEffect, useLayoutEffect, useMemo, useState } from "preact/hooks";
import { Arithmetic } from "./arithmetic.jsx";
import { Card, Copy } from "./card.jsx";
import { ClaimHead, Claims, keyOf } from "./claims.jsx";
import { asObjects, isThere, load, shardOf, useShard, useShards } from "./data.js";
import { Compare } from "./compare.jsx";
import { Evidence } from "./evidence.jsx";
import { browse, buildGrid, DENSE, folded } from "./grid.js";
import { Passport } from "./passport.jsx";
import { Review } from "./review.jsx";
import { Data, Levels, Training } from "./views.jsx";
import { spaced } from "./words.js";
import { Workflow } from "./workflow.jsx";

const VIEWS = { claims: "Claims", answers: "Answers", levels: "Levels", training: "Training", data: "Data", workflow: "Workflow", compare: "Compare", review: "Review" };

const INVITATION = "Choose an answer in the grid: its card shows the exam page, the text as read, what was answered and why it was judged so.";

function parse(hash) {
  const parts = decodeURIComponent(hash.replace(/^#/, "")).split("/").filter(Boolean);
  if (parts.length === 0) return { view: "claims" };
  if (parts[0] === "problem") return { view: "problem", problem: parts[1] };
  if (parts[0] === "answers") return { view: "answers", level: parts[1], benchmark: parts[2], problem: parts[3], slug: parts[4] };
  if (parts[0] === "table") return { view: "table", table: parts[1], column: parts[2], row: Number(parts[3]), problem: parts[4], slug: parts[5] };
  if (parts[0] === "review") return { view: "review", problem: parts[1] };
  if (parts[0] in VIEWS) return { view: parts[0] };
  const [id, estimand, problem, slug] = parts;
  return { view: "claims", claim: `${id}/${estimand ?? ""}`, problem, slug };
}

function useVerdicts(study, grid) {
  const wanted = useMemo(() => [...new Set(grid.columns.flatMap((column) => [...column.cells.values()]).map((number) => `verdicts/${shardOf(study.columns[number])}`))].sort(), [grid]);
  const { shards, fault } = useShards(wanted);
  const both = (name) => Object.assign({}, ...(shards ?? []).map((shard) => shard[name]));
  const found = useMemo(() => ({ verdicts: both("verdicts"), words: both("words") }), [shards]);
  return { ...found, fault, ready: wanted.length === 0 || shards !== undefined };
}

/** Grid and card of one claim, or of the answers at one level. */
function Answers({ study, grid, head, base, claim, problem, slug, run }) {
  const [toggles, setToggles] = useState({ toggled: new Map(), struck: new Set() });
  useEffect(() => setToggles({ toggled: new Map(), struck: new Set() }), [base]);
  const { verdicts, words, fault, ready } = useVerdicts(study, grid);
  const state = useMemo(() => ({ verdicts, words, ...toggles }), [verdicts, words, toggles]);
  const place = problem ? study.questions.findIndex((row) => row.id === problem) : -1;
  const go = useCallback((question, column) => { location.hash = `${base}/${study.questions[question].id}/${column}`; }, [base]);
  // A grid of many columns takes the whole width until a card stands beside it.
  const wide = folded(grid.columns).length > DENSE;
  const goAddress = (address) => { location.hash = address; };
  const step = (by) => {
    const at = grid.questions.indexOf(place) + by;
    if (at >= 0 && at < grid.questions.length) go(grid.questions[at], slug);
  };
  return (
    <div class={`answers ${place >= 0 ? "with-card" : wide ? "wide" : ""} ${grid.columns.length ? "" : "alone"}`}>
      <div class="left">
        {head}
        {fault ? <p class="fault" role="alert">{fault}</p> : null}
        {claim && ready ? <Arithmetic study={study} grid={grid} state={state} claim={claim} change={setToggles} /> : null}
        {wide && place < 0 ? <p class="hint">{INVITATION}</p> : null}
        {grid.columns.length && ready ? (
          <Evidence study={study} grid={grid} state={state} go={go}
            chosen={place >= 0 ? { question: place, slug } : null} />
        ) : null}
      </div>
      {place >= 0 ? (
        <div class="right">
          <Card study={study} grid={grid} state={state} question={place} slug={slug ?? grid.columns[0]?.slug} run={run}
            address={`${base}/${problem}/${slug}`} go={goAddress} change={setToggles} step={step} />
        </div>
      ) : grid.columns.length && !wide ? <p class="right invite">{INVITATION}</p> : null}
    </div>
  );
}

function ClaimView({ study, claims, claim, route, run }) {
  const key = keyOf(claim);
  const cell = study.evidence.cells[key] ?? { columns: [], other: [] };
  const grid = useMemo(() => buildGrid(study, cell), [key]);
  const head = (
    <>
      <ClaimHead claim={claim} claims={claims} />
      {cell.other.length ? <OtherRows rows={cell.other} study={study} /> : null}
    </>
  );
  return <Answers study={study} grid={grid} head={head} base={key} claim={claim} problem={route.problem} slug={route.slug} run={run} />;
}

/** The problem that a row's id names, as in trace/2014-fs-07.R1. */
function problemOf(study, row) {
  const name = row.split("/").at(-1).split(".")[0];
  return study.questions.some((question) => question.id === name) ? name : null;
}

/** One cell of a table: the answers, or other rows, that it is computed from. */
function TableCell({ study, route, run }) {
  const { shard, fault } = useShard("cells");
  const table = study.tables[route.table];
  const name = table?.names[route.row - 1];
  const entry = shard?.entries[shard.tables[route.table]?.[name]?.[route.column]];
  const grid = useMemo(() => (entry ? buildGrid({ ...study, evidence: { ...study.evidence, sets: shard.sets } }, entry) : null), [entry]);
  if (fault) return <p class="fault" role="alert">{fault}</p>;
  if (!shard) return <p class="waiting">Loading ...</p>;
  if (!entry) return <p class="fault" role="alert">No table of this study has that cell, or it is not computed from rows.</p>;
  const value = table.rows[route.row - 1][table.columns.indexOf(route.column)];
  const named = study.name === "sample" ? "" : ` --study ${study.name}`;
  const head = (
    <>
      <header class="claim-head">
        <p class="crumb">table {spaced(route.table)} · {name}</p>
        <h2>{spaced(route.column)}: <span data-test="cell">{value}</span></h2>
        <p><Copy text={`distil explain ${route.table}:${name}:${route.column}${named}`} /></p>
      </header>
      {entry.other.length ? <OtherRows rows={entry.other} study={study} /> : null}
    </>
  );
  return <Answers study={study} grid={grid} head={head} base={`table/${route.table}/${route.column}/${route.row}`} problem={route.problem} slug={route.slug} run={run} />;
}

function OtherRows({ rows, study }) {
  const curves = rows.filter((row) => row.startsWith("curve/"));
  return (
    <details class="more">
      <summary>rests on {rows.length} {curves.length === rows.length ? "validation losses" : "other rows"}</summary>
      {curves.length ? <p><a href="#training">the curves of {new Set(curves.map((row) => row.split("/").slice(0, 4).join("/"))).size} seeds</a></p> : null}
      <ul class="ids">{rows.slice(0, 200).map((row) => {
        const problem = problemOf(study, row);
        return <li key={row}>{problem ? <a href={`#problem/${problem}`}><code>{row}</code></a> : <code>{row}</code>}</li>;
      })}</ul>
      {rows.length > 200 ? <p class="fine">and {rows.length - 200} more: distil --study {study.name} explain</p> : null}
    </details>
  );
}

function Browse({ study, route, run }) {
  // As R1, or R1@horizon for another stop than the primary one.
  const primary = study.settings.primary_stop;
  const [level, stop = primary] = (route.level ?? study.settings.levels[0]).split("@");
  const stops = [...new Set(study.stops.flatMap((row) => Object.keys(row.stops)))].sort((a, b) => (b === primary) - (a === primary) || (a < b ? -1 : 1));
  const at = (changed) => { const to = { level, stop, benchmark, ...changed }; return `answers/${to.level}${to.stop === primary ? "" : `@${to.stop}`}/${to.benchmark}`; };
  const benchmarks = [...new Set(study.questions.map((row) => row.benchmark))];
  const benchmark = route.benchmark ?? benchmarks[0];
  const grid = useMemo(() => {
    const { cell, sets } = browse(study, level, benchmark, stop);
    return buildGrid({ ...study, evidence: { ...study.evidence, sets } }, cell);
  }, [level, benchmark, stop]);
  const head = (
    <header class="claim-head">
      <h2>All answers</h2>
      <p class="reason">One level and one way to stop at a time; the primary stop is {spaced(primary)}. Stops other than those of the study file were asked test years at {study.settings.levels[0]} only.</p>
      <div class="filters">
        <label class="choice"><span>level</span><select value={level} onChange={(event) => { location.hash = at({ level: event.currentTarget.value }); }}>{study.settings.levels.map((name) => <option key={name}>{name}</option>)}</select></label>
        {stops.length > 1 ? <label class="choice"><span>stop</span><select value={stop} onChange={(event) => { location.hash = at({ stop: event.currentTarget.value }); }}>{stops.map((name) => <option key={name} value={name}>{spaced(name)}</option>)}</select></label> : null}
        {benchmarks.length > 1 ? <label class="choice"><span>benchmark</span><select value={benchmark} onChange={(event) => { location.hash = at({ benchmark: event.currentTarget.value }); }}>{benchmarks.map((name) => <option key={name}>{name}</option>)}</select></label> : null}
      </div>
    </header>
  );
  return <Answers study={study} grid={grid} head={head} base={at({})} problem={route.problem} slug={route.slug} run={run} />;
}

function ProblemView({ study, id, run }) {
  const place = study.questions.findIndex((row) => row.id === id);
  if (place < 0) return <p class="none">There is no question {id}.</p>;
  const state = { verdicts: {}, toggled: new Map(), struck: new Set() };
  return <div class="single"><h2 class="crumb">One problem</h2><Card study={study} grid={null} state={state} question={place} run={run} address={`problem/${id}`} go={(address) => { location.hash = address; }} change={() => {}} /></div>;
}

function Page({ study, run }) {
  const [route, setRoute] = useState(parse(location.hash));
  // While the page is put in place and not after it is painted: no address typed between is lost.
  useLayoutEffect(() => {
    const listen = () => setRoute(parse(location.hash));
    addEventListener("hashchange", listen);
    return () => removeEventListener("hashchange", listen);
  }, []);
  const claims = useMemo(() => asObjects(study.claims), []);
  const claim = route.claim && claims.find((one) => keyOf(one) === route.claim || one.id === route.claim.split("/")[0] && route.claim.endsWith("/"));
  const views = Object.keys(VIEWS).filter((name) => (name !== "answers" || study.columns.length) && (name !== "training" || study.curves.length) && (name !== "workflow" || run?.jobs));
  useEffect(() => { document.title = claim ? `${claim.id}: ${study.title}` : study.title; }, [claim]);
  const go = (key) => { location.hash = key; };
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>to the content</a>
      <Passport study={study} run={run} claims={claims} />
      <nav aria-label="parts of the page">
        {views.map((name) => <a key={name} href={`#${name === "claims" ? "" : name}`} aria-current={route.view === name && !claim ? "page" : undefined}>{VIEWS[name]}</a>)}
      </nav>
      <main id="main" tabIndex={-1}>
        {route.view === "claims" && claim ? <><p class="back"><a href="#">‹ all claims</a></p><ClaimView key={keyOf(claim)} study={study} claims={claims} claim={claim} route={route} run={run} /></> : null}
        {route.view === "claims" && !claim ? <>{route.claim ? <p class="fault" role="alert">There is no claim {route.claim}.</p> : null}<Claims study={study} claims={claims} go={go} /></> : null}
        {route.view === "answers" ? <Browse study={study} route={route} run={run} /> : null}
        {route.view === "table" ? <><p class="back"><a href="#data">‹ all tables</a></p><TableCell key={`${route.table} ${route.column} ${route.row}`} study={study} route={route} run={run} /></> : null}
        {route.view === "problem" ? <ProblemView study={study} id={route.problem} run={run} /> : null}
        {route.view === "levels" ? <Levels study={study} /> : null}
        {route.view === "training" ? <Training study={study} /> : null}
        {route.view === "data" ? <Data study={study} /> : null}
        {route.view === "workflow" ? <Workflow study={study} run={run} claims={claims} /> : null}
        {route.view === "compare" ? <Compare study={study} run={run} /> : null}
        {route.view === "review" ? <Review study={study} wanted={route.problem} /> : null}
      </main>
      <footer><p>Every number of this page is in <code>results/{study.name}</code>; nothing is loaded from elsewhere.</p></footer>
    </>
  );
}

async function start() {
  const root = document.getElementById("page");
  if (typeof DecompressionStream === "undefined") {
    root.textContent = "This browser is too old to unpack the study's data (it lacks DecompressionStream). The same claims are in claims/claims.html.";
    return;
  }
  try {
    const run = isThere("run") ? await load("run") : null;
    const study = await load("study");
    root.replaceChildren();
    render(<Page study={study} run={run} />, root);
  } catch (error) {
    root.textContent = `The study could not be opened: ${error.message}`;
  }
}

start();
