// The grid of questions and runs, with filters.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { DENSE, folded, gainOf, judged, stopOf, verdictOf } from "./grid.js";
import { SIGN_WORDS, spaced } from "./words.js";

const ROW = 22; // pixels a row
const SHOWN = 26; // rows in the window

const PATTERNS = {
  all: "every question",
  gained: "gained: more right than the base",
  lost: "lost: less right than the base",
  mixed: "seeds or samples differ",
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

/** Ways to stop whose checkpoints are among the students' columns, each with these checkpoints. */
function stopsOf(study, grid) {
  const student = grid.columns.filter((column) => column.role === "student");
  if (new Set(student.map((column) => column.iteration)).size < 2) return [];
  const names = [...new Set(study.stops.flatMap((row) => Object.keys(row.stops)))].sort();
  return names.flatMap((name) => {
    const at = [...new Set(student.filter((column) => column.iteration === stopOf(study, column, name)).map((column) => column.iteration))];
    return at.length ? [[name, `${spaced(name)} (${at.sort((a, b) => a - b).join(", ")})`]] : [];
  });
}

/** The grid with the columns of one level and one stop only; base and teacher stay. */
function narrowed(study, grid, level, stop) {
  if (!level && !stop) return grid;
  const columns = grid.columns.filter((column) => (!level || column.level === level || column.beside)
    && (!stop || column.role !== "student" || column.iteration === stopOf(study, column, stop)));
  return { ...grid, columns };
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

export function Evidence({ study, grid: whole, state, chosen, go }) {
  const [filters, setFilters] = useState({ year: "", section: "", cluster: "", pattern: "all", search: "", level: "", stop: "" });
  const grid = useMemo(() => narrowed(study, whole, filters.level, filters.stop), [whole, filters.level, filters.stop]);
  const stops = stopsOf(study, whole);
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
      <div class="filters">
        <label class="choice search">
          <span>search</span>
          <input type="search" value={filters.search} placeholder="a number or words" onInput={(event) => set("search")(event.currentTarget.value)} />
        </label>
        {years.length > 1 ? <Choice name="year" value={filters.year} onChange={set("year")} options={[["", "all"], ...years.map((year) => [String(year), year])]} /> : null}
        {sections.length > 1 ? <Choice name="section" value={filters.section} onChange={set("section")} options={[["", "all"], ...sections.map((key) => [key, study.sections[key] ?? key])]} /> : null}
        <Choice name="verdict" value={filters.pattern} onChange={set("pattern")} options={Object.entries(PATTERNS)} />
        {whole.levels.length > 1 ? <Choice name="level" value={filters.level} onChange={set("level")} options={[["", "all"], ...whole.levels.map((level) => [level, level])]} /> : null}
        {stops.length > 1 ? <Choice name="stop" value={filters.stop} onChange={set("stop")} options={[["", "all"], ...stops]} /> : null}
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

/** Whether the page is being printed: paper takes every row, not a window of them. */
function usePrinting() {
  const [printing, setPrinting] = useState(false);
  useEffect(() => {
    const [begin, end] = [() => setPrinting(true), () => setPrinting(false)];
    addEventListener("beforeprint", begin);
    addEventListener("afterprint", end);
    return () => { removeEventListener("beforeprint", begin); removeEventListener("afterprint", end); };
  }, []);
  return printing;
}

function Grid({ study, grid, rows, state, chosen, go }) {
  const box = useRef(null);
  const [top, setTop] = useState(0);
  const [focus, setFocus] = useState([0, 0]);
  const printing = usePrinting();
  const columns = useMemo(() => folded(grid.columns), [grid]);
  const isChosen = (place, column) => chosen?.question === place && column.samples.some((one) => one.slug === chosen.slug);
  // Of several samples, the one that is open, or the first that was asked.
  const open = (place, column) => go(place, isChosen(place, column) ? chosen.slug : (column.samples.find((one) => one.cells.has(place)) ?? column.samples[0]).slug);
  const moved = useRef(false);
  const window_ = Math.min(rows.length, SHOWN);
  const first = printing ? 0 : Math.max(0, Math.min(rows.length - window_, Math.floor(top / ROW) - 4));
  const last = printing ? rows.length : Math.min(rows.length, first + window_ + 8);
  useEffect(() => { setFocus(([row, column]) => [Math.min(row, Math.max(0, rows.length - 1)), column]); }, [rows.length]);
  useEffect(() => {
    const row = chosen ? rows.indexOf(chosen.question) : -1;
    const column = chosen ? columns.findIndex((one) => isChosen(chosen.question, one)) : -1;
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
      open(rows[row], columns[column]);
    }
    if (!(event.key in steps)) return;
    event.preventDefault();
    const [nextRow, nextColumn] = steps[event.key];
    const place = [Math.max(0, Math.min(rows.length - 1, nextRow)), Math.max(0, Math.min(columns.length - 1, nextColumn))];
    const element = box.current;
    if (place[0] * ROW < element.scrollTop) element.scrollTop = place[0] * ROW;
    if ((place[0] + 2) * ROW > element.scrollTop + element.clientHeight - ROW) element.scrollTop = (place[0] + 3) * ROW - element.clientHeight + ROW;
    moved.current = true;
    setFocus(place);
  };
  if (rows.length === 0) return <p class="none">No question fits.</p>;
  return (
    <div class="grid-box" ref={box} onScroll={(event) => setTop(event.currentTarget.scrollTop)} style={{ maxHeight: `${(Math.min(rows.length, SHOWN) + 2.4) * ROW}px` }}>
      <table class={`grid ${columns.length > DENSE ? "dense" : ""}`} role="grid" aria-label="Verdicts by question and run" aria-rowcount={rows.length + 1} onKeyDown={move}>
        <thead>
          <tr role="row" aria-rowindex={1}>
            <th scope="col">question</th>
            {columns.map((column) => (
              <th key={column.slug} scope="col" class={column.role}><span>{column.slug.replace("seed-", columns.length > 9 ? "s" : "seed ")}</span></th>
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
                {columns.map((column, at) => {
                  const { asked, right } = judged(state, column, place);
                  const several = column.samples.length > 1 && asked.length > 0;
                  const here = isChosen(place, column);
                  const isToggled = (one) => state.toggled.has(`${one.cells.get(place)}:${place}`);
                  const told = several ? `${right} of ${asked.length} right` : SIGN_WORDS[asked[0]?.sign ?? "."];
                  return (
                    <td key={column.slug} role="gridcell" tabIndex={focus[0] === row && focus[1] === at ? 0 : -1}
                      class={`${here ? "here" : ""}`} aria-selected={here}
                      aria-label={`${question.id}, ${column.slug}: ${told}${column.samples.some(isToggled) ? ", toggled" : ""}`}
                      title={`${question.id}, ${spaced(column.slug)}: ${told}`}
                      onClick={() => { setFocus([row, at]); open(place, column); }}>
                      <span class="drawn">
                        {asked.map((one) => <i key={one.column.slug} class={`cell ${one.sign} ${isToggled(one.column) ? "toggled" : ""}`} />)}
                        {asked.length === 0 ? <i class="cell none" /> : null}
                        {several && columns.length <= DENSE ? <span class="count">{right} of {asked.length}</span> : null}
                      </span>
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
