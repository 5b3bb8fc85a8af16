// Which answers a claim rests on, as a grid: a row a question, a column a run.

/** The most columns whose names stand upright. */
export const DENSE = 14;
const ROLES = ["base", "teacher", "student"];

/** The name of a column in addresses: base, teacher, seed-3, seed-3.R6, seed-3.R1.00200. */
function slugs(columns, study) {
  const several = (name) => new Set(columns.map((one) => study.columns[one.number][name])).size > 1;
  const student = columns.filter((one) => study.columns[one.number].role === "student");
  const levels = several("level");
  const variants = new Set(student.map((one) => study.columns[one.number].variant)).size > 1;
  // A seed at several checkpoints of one fold, as where two stops are compared.
  const places = new Map();
  for (const one of student) {
    const column = study.columns[one.number];
    const place = `${column.run} ${column.level} ${column.benchmark} ${column.sample}`;
    places.set(place, (places.get(place) ?? 0) + 1);
  }
  const iterations = [...places.values()].some((count) => count > 1);
  const drawn = columns.some((one) => study.columns[one.number].sample);
  return (column) =>
    [
      // The seed of the teacher is the number of its sample, from 0, where it has several.
      column.role === "student" ? `seed-${column.seed}` : column.role + (column.seed ? `-${column.seed + 1}` : ""),
      variants && column.variant,
      levels && column.level,
      iterations && column.role === "student" && String(column.iteration).padStart(5, "0"),
      drawn && column.role !== "teacher" && `sample-${(column.sample ?? 0) + 1}`,
    ].filter(Boolean).join(".");
}

function listed(study, cell) {
  return cell.columns.map(([number, set]) => ({ number, questions: study.evidence.sets[set] }));
}

/** Base and teacher beside what a claim rests on, for the same questions at the first level. */
function context(study, columns) {
  const questions = [...new Set(columns.flatMap((one) => one.questions))].sort((a, b) => a - b);
  const known = new Set(columns.map((one) => study.columns[one.number].role));
  const level = study.settings.levels[0];
  const benchmarks = new Set(questions.map((place) => study.questions[place].benchmark));
  return study.columns.flatMap((column, number) =>
    column.role !== "student" && !known.has(column.role) && column.level === level && benchmarks.has(column.benchmark)
      ? [{ number, questions, beside: true }]
      : [],
  );
}

/** Build the grid of a claim: {columns: [{slug, role, level, cells: Map(question -> column)}], questions}. */
export function buildGrid(study, cell) {
  const own = listed(study, cell);
  const all = [...context(study, own), ...own];
  const slugOf = slugs(all, study);
  const found = new Map();
  for (const one of all) {
    const column = study.columns[one.number];
    const slug = slugOf(column);
    if (!found.has(slug)) {
      found.set(slug, { slug, ...column, beside: Boolean(one.beside), cells: new Map() });
    }
    for (const question of one.questions) {
      if (study.questions[question].benchmark === column.benchmark) found.get(slug).cells.set(question, one.number);
    }
  }
  const columns = [...found.values()].sort(
    (a, b) => ROLES.indexOf(a.role) - ROLES.indexOf(b.role)
      || (a.level ?? "").localeCompare(b.level ?? "")
      || (a.iteration ?? 0) - (b.iteration ?? 0)
      || (a.seed ?? 0) - (b.seed ?? 0)
      || (a.sample ?? 0) - (b.sample ?? 0),
  );
  const questions = [...new Set(own.flatMap((one) => one.questions))].sort((a, b) => a - b);
  return { columns, questions, levels: [...new Set(columns.map((column) => column.level))] };
}

/** Columns as they are shown: the samples that a run drew to its questions stand in one, `samples`. */
export function folded(columns) {
  const found = new Map();
  for (const column of columns) {
    // A sample of the teacher has its number in place of a seed.
    const seed = column.role === "teacher" ? "" : column.seed;
    const key = [column.role, column.variant, seed, column.level, column.iteration].join(" ");
    found.set(key, [...(found.get(key) ?? []), column]);
  }
  return [...found.values()].map((samples) => ({ ...samples[0], slug: samples[0].slug.replace(/\.sample-1$/, ""), samples }));
}

/** How a question's samples were judged: those asked, each with its sign, and how many are right. */
export function judged(state, { samples }, question) {
  const asked = samples.map((column) => ({ column, sign: verdictOf(state, column, question) })).filter(({ sign }) => sign !== ".");
  return { asked, right: asked.filter(({ sign }) => sign === "r").length };
}

/** A claim-like cell for browsing: everything asked at one level, at one way to stop. */
export function browse(study, level, benchmark, stop) {
  const questions = study.questions.flatMap((row, place) => (row.benchmark === benchmark ? [place] : []));
  const tests = questions.filter((place) => Object.values(study.questions[place].parts).includes("test"));
  const columns = study.columns.flatMap((column, number) => {
    if (column.benchmark !== benchmark || column.level !== level) return [];
    if (column.role === "student" && column.iteration !== stopOf(study, column, stop)) return [];
    return [[number, 0]];
  });
  const asked = benchmark === "competition" && level !== study.settings.levels[0] ? tests : questions;
  return { cell: { columns, other: [] }, sets: [asked] };
}

/** The checkpoint that a stop chooses for a column's run. */
export function stopOf(study, column, stop) {
  const chosen = study.stops.find(
    (row) => row.fold === column.run.split("/")[0] && row.variant === column.variant,
  )?.stops[stop];
  if (!chosen) return null;
  return chosen.iteration ?? chosen[String(column.seed)] ?? null;
}

/** The verdict of a cell: r, w, u, or "." where it was not asked; what a reader toggled comes first. */
export function verdictOf(state, column, question) {
  const number = column.cells.get(question);
  if (number === undefined) return ".";
  return state.toggled.get(`${number}:${question}`) ?? state.verdicts[number]?.[question] ?? ".";
}

/** Share of right answers of the students minus that of the base: gained above, lost below. */
export function gainOf(state, grid, question) {
  const share = (role) => {
    const signs = grid.columns.filter((column) => column.role === role)
      .map((column) => verdictOf(state, column, question)).filter((sign) => sign !== ".");
    return signs.length ? signs.filter((sign) => sign === "r").length / signs.length : null;
  };
  const [student, base] = [share("student"), share("base")];
  if (student === null) return (share("teacher") ?? 0) - (base ?? 0);
  return base === null ? student : student - base;
}
