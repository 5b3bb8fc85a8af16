// The grid of questions and runs, with filters, and the arithmetic that leads from it to the number.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { gainOf, compute, verdictOf } from "./grid.js";
import { number, pText, SIGN_WORDS, spaced } from "./words.js";

const ROW = 22; // pixels a row
const SHOWN = 26; // rows in the window

const PATTERNS = {
  all: "every question",
  gained: "gained: more right than the base",
  lost: "lost: less right than the base",
  mixed: "seeds differ",
  right: "every run right",
  wrong: "every run wrong",
  unknown: "an answer could not be judged",
};

function fits(pattern, state, grid, question) {
  if (pattern === "all") return true;
  const signs = grid.columns.map((column) => [column.role, verdictOf(state, column, question)])
    .filter(([, sign]) => sign !== ".");
  const student = signs.filter(([role]) => role === "student").map(([, sign]) => sign === "r");
  switch (pattern) {
    case "gained": return gainOf(state, grid, question) > 0;
    case "lost": return gainOf(state, grid, question) < 0;
    case "mixed": return student.includes(true) && student.includes(false);
    case "right": return signs.every(([, sign]) => sign === "r");
    case "wrong": return signs.every(([, sign]) => sign !== "r");
    default: return signs.some(([, sign]) => sign === "u");
  }
}

function Choice({ name, value, options, onChange }) {
  return (
    <label class="choice">
      <span>{name}</span>
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map(([key, text]) => <option key={key} value={key}>{text}</option>)}
      </select>
    </label>
  );
}

export function Evidence({ study, grid, state, chosen, go, formula, claim, change }) {
  const [filters, setFilters] = useState({ year: "", section: "", cluster: "", pattern: "all", search: "" });
  const set = (name) => (value) => setFilters({ ...filters, [name]: value });
  const gains = useMemo(() => new Map(grid.questions.map((question) => [question, gainOf(state, grid, question)])), [grid, state]);
  const years = [...new Set(grid.questions.map((place) => study.questions[place].year))].filter(Boolean).sort();
  const sections = [...new Set(grid.questions.map((place) => study.questions[place].section))].filter(Boolean).sort();
  const rows = useMemo(() => {
    const words = filters.search.toLowerCase().split(/\s+/).filter(Boolean);
    return grid.questions.filter((place) => {
      const question = study.questions[place];
      const text = `${question.id} ${question.text}`.toLowerCase();
      return (!filters.year || String(question.year) === filters.year)
        && (!filters.section || question.section === filters.section)
        && (!filters.cluster || question.cluster === filters.cluster)
        && words.every((word) => text.includes(word))
        && fits(filters.pattern, state, grid, place);
    }).sort((a, b) => gains.get(b) - gains.get(a) || (study.questions[a].id < study.questions[b].id ? -1 : 1));
  }, [grid, state, filters, gains]);
  const clusters = useMemo(() => {
    const sizes = new Map();
    for (const place of grid.questions) {
      const { cluster } = study.questions[place];
      sizes.set(cluster, (sizes.get(cluster) ?? 0) + 1);
    }
    return [...sizes].filter(([, size]) => size > 1).sort((a, b) => b[1] - a[1]);
  }, [grid]);
  return (
    <section class="evidence" aria-labelledby="evidence-title">
      <h3 id="evidence-title">Answers</h3>
      <Arithmetic study={study} grid={grid} formula={formula} state={state} claim={claim} change={change} />
      <div class="filters">
        <label class="choice search">
          <span>search</span>
          <input type="search" value={filters.search} placeholder="a number or words" onInput={(event) => set("search")(event.currentTarget.value)} />
        </label>
        {years.length > 1 ? <Choice name="year" value={filters.year} onChange={set("year")} options={[["", "all"], ...years.map((year) => [String(year), year])]} /> : null}
        {sections.length > 1 ? <Choice name="section" value={filters.section} onChange={set("section")} options={[["", "all"], ...sections.map((key) => [key, study.sections[key] ?? key])]} /> : null}
        <Choice name="verdict" value={filters.pattern} onChange={set("pattern")} options={Object.entries(PATTERNS)} />
        {clusters.length ? <Choice name="template" value={filters.cluster} onChange={set("cluster")} options={[["", "all"], ...clusters.map(([key, size]) => [key, `as ${key} (${size})`])]} /> : null}
      </div>
      <p class="legend" role="status">
        <span>{rows.length} of {grid.questions.length} questions, gained first</span>
        <span class="key"><i class="cell r" /> right</span>
        <span class="key"><i class="cell w" /> wrong</span>
        <span class="key"><i class="cell u" /> not judged</span>
      </p>
      <Grid study={study} grid={grid} rows={rows} state={state} chosen={chosen} go={go} />
    </section>
  );
}

function Grid({ study, grid, rows, state, chosen, go }) {
  const box = useRef(null);
  const [top, setTop] = useState(0);
  const [focus, setFocus] = useState([0, 0]);
  const moved = useRef(false);
  const window_ = Math.min(rows.length, SHOWN);
  const first = Math.max(0, Math.min(rows.length - window_, Math.floor(top / ROW) - 4));
  const last = Math.min(rows.length, first + window_ + 8);
  useEffect(() => { setFocus(([row, column]) => [Math.min(row, Math.max(0, rows.length - 1)), column]); }, [rows.length]);
  useEffect(() => {
    const row = chosen ? rows.indexOf(chosen.question) : -1;
    const column = chosen ? grid.columns.findIndex((one) => one.slug === chosen.slug) : -1;
    if (row < 0) return;
    setFocus([row, Math.max(0, column)]);
    const element = box.current;
    if (element && (row * ROW < element.scrollTop || (row + 2) * ROW > element.scrollTop + element.clientHeight - ROW)) {
      element.scrollTop = Math.max(0, row * ROW - 5 * ROW);
    }
  }, [chosen?.question, chosen?.slug, rows]);
  useEffect(() => {
    if (moved.current) box.current?.querySelector('[tabindex="0"]')?.focus({ preventScroll: true });
    moved.current = false;
  }, [focus, first]);
  const move = (event) => {
    const [row, column] = focus;
    const steps = {
      ArrowDown: [row + 1, column], ArrowUp: [row - 1, column], ArrowRight: [row, column + 1], ArrowLeft: [row, column - 1],
      PageDown: [row + 20, column], PageUp: [row - 20, column], Home: [0, column], End: [rows.length - 1, column],
    };
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      go(rows[row], grid.columns[column].slug);
    }
    if (!(event.key in steps)) return;
    event.preventDefault();
    const [nextRow, nextColumn] = steps[event.key];
    const place = [Math.max(0, Math.min(rows.length - 1, nextRow)), Math.max(0, Math.min(grid.columns.length - 1, nextColumn))];
    const element = box.current;
    if (place[0] * ROW < element.scrollTop) element.scrollTop = place[0] * ROW;
    if ((place[0] + 2) * ROW > element.scrollTop + element.clientHeight - ROW) element.scrollTop = (place[0] + 3) * ROW - element.clientHeight + ROW;
    moved.current = true;
    setFocus(place);
  };
  if (rows.length === 0) return <p class="none">No question fits.</p>;
  return (
    <div class="grid-box" ref={box} onScroll={(event) => setTop(event.currentTarget.scrollTop)} style={{ maxHeight: `${(Math.min(rows.length, SHOWN) + 2.4) * ROW}px` }}>
      <table class={`grid ${grid.columns.length > 14 ? "dense" : ""}`} role="grid" aria-label="Verdicts by question and run" aria-rowcount={rows.length + 1} onKeyDown={move}>
        <thead>
          <tr role="row" aria-rowindex={1}>
            <th scope="col">question</th>
            {grid.columns.map((column) => (
              <th key={column.slug} scope="col" class={column.role}><span>{column.slug.replace("seed-", grid.columns.length > 9 ? "s" : "seed ")}</span></th>
            ))}
          </tr>
        </thead>
        <tbody>
          {first > 0 ? <tr class="space" aria-hidden="true" style={{ height: `${first * ROW}px` }} /> : null}
          {rows.slice(first, last).map((place, offset) => {
            const row = first + offset;
            const question = study.questions[place];
            return (
              <tr key={question.id} role="row" aria-rowindex={row + 2} class={`${state.struck.has(place) ? "struck" : ""} ${chosen?.question === place ? "chosen" : ""}`}>
                <th scope="row">{question.id}</th>
                {grid.columns.map((column, at) => {
                  const sign = verdictOf(state, column, place);
                  const here = chosen?.question === place && chosen?.slug === column.slug;
                  const toggled = state.toggled.has(`${column.cells.get(place)}:${place}`);
                  return (
                    <td key={column.slug} role="gridcell" tabIndex={focus[0] === row && focus[1] === at ? 0 : -1}
                      class={`${here ? "here" : ""}`} aria-selected={here}
                      aria-label={`${question.id}, ${column.slug}: ${SIGN_WORDS[sign]}${toggled ? ", toggled" : ""}`}
                      title={`${question.id}, ${spaced(column.slug)}: ${SIGN_WORDS[sign]}`}
                      onClick={() => { setFocus([row, at]); go(place, column.slug); }}>
                      <i class={`cell ${sign === "." ? "none" : sign} ${toggled ? "toggled" : ""}`} />
                    </td>
                  );
                })}
              </tr>
            );
          })}
          {last < rows.length ? <tr class="space" aria-hidden="true" style={{ height: `${(rows.length - last) * ROW}px` }} /> : null}
        </tbody>
      </table>
    </div>
  );
}

const percent = (value) => number(100 * value, 2);

function Counts({ counts, two }) {
  if (!two) return <p>{counts.right.toLocaleString("en")} of {counts.asked.toLocaleString("en")} answers are right.</p>;
  return (
    <table class="counts">
      <caption>answers, pair by pair</caption>
      <tbody>
        <tr><td /><th scope="col">other right</th><th scope="col">other wrong</th></tr>
        <tr><th scope="row">right</th><td>{counts.both}</td><td class="gained">{counts.gained}</td></tr>
        <tr><th scope="row">wrong</th><td class="lost">{counts.lost}</td><td>{counts.neither}</td></tr>
      </tbody>
    </table>
  );
}

/** How the number follows from the answers, and what it would be if some of them were others. */
function Arithmetic({ study, grid, formula, state, claim, change }) {
  if (!formula) return null;
  const untouched = { ...state, toggled: new Map(), struck: new Set() };
  const before = compute(study, grid, formula, untouched);
  if (!before) {
    return (
      <p class="arithmetic-none">
        The number is made by the formula <code>{formula}</code> from {claim?.rows ?? "the"} rows
        {claim?.filter ? <> (<code>{claim.filter}</code>)</> : null}; this page does not compute it again.
      </p>
    );
  }
  const changed = state.toggled.size + state.struck.size > 0;
  const now = changed ? compute(study, grid, formula, state) : before;
  const told = now ?? before;
  const total = told.counts.both + told.counts.gained + told.counts.lost + told.counts.neither;
  return (
    <details class="arithmetic" open={changed || undefined}>
      <summary>
        How <output data-test="estimate">{percent(before.estimate)}</output> follows from the answers
        {changed && now ? (
          <span class="what-if" role="status">
            with {state.toggled.size + state.struck.size} {state.toggled.size + state.struck.size === 1 ? "change" : "changes"}: <output data-test="changed">{percent(now.estimate)}</output>
            {" "}(<output data-test="changed-low">{percent(now.low)}</output> to <output data-test="changed-high">{percent(now.high)}</output>)
            <button type="button" onClick={(event) => { event.preventDefault(); change({ toggled: new Map(), struck: new Set() }); }}>put back</button>
          </span>
        ) : null}
      </summary>
      <Counts counts={told.counts} two={told.two} />
      {told.two ? (
        <p class="formula">
          ({told.counts.gained} − {told.counts.lost}) / {total} = {percent(told.estimate)} points.
        </p>
      ) : (
        <p class="formula">{told.counts.right} / {told.counts.asked} = {percent(told.estimate)} %.</p>
      )}
      <p>
        {told.test === "Wilson interval"
          ? <>Wilson interval at {number(told.effective, 1)} effective answers ({told.n} questions in {told.clusters} groups of the same template or duplicate): </>
          : <>{told.test}: {told.clusters} groups of questions of the same template or duplicate, t with {number(told.df, 1)} degrees of freedom, standard error {number(100 * told.se, 3)}: </>}
        <output data-test="low">{percent(told.low)}</output> to <output data-test="high">{percent(told.high)}</output>
        {told.p !== null ? <>, p {Number(told.p) < 0.001 ? "< 0.001" : `= ${pText(told.p)}`}</> : null}.
      </p>
      <p class="hint">What if? Open an answer and toggle its verdict, or strike the question.</p>
    </details>
  );
}
