// How a claim's number follows from the rows it rests on (distil/claims/formulas.py), for questions
// that may be struck and verdicts that may be toggled. Values of points and percentages are shares.
import { stopOf, verdictOf } from "./grid.js";
import { accuracy, pairedGain, sectionContrast, signTest, slope, wilson } from "./stats.js";

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Folds in order, those that cut through years (as the published split does) apart. */
function sortedFolds(study) {
  const cuts = (fold) => {
    const first = new Map();
    return study.questions.some(({ year, parts }) => {
      if (!year || !parts[fold]) return false;
      if (!first.has(year)) first.set(year, parts[fold]);
      return first.get(year) !== parts[fold];
    });
  };
  const all = [...new Set(study.stops.map((row) => row.fold))].sort();
  const random = all.filter(cuts);
  return { all, random, others: all.filter((fold) => !random.includes(fold)) };
}

/** The fold of the transfer estimand, and in sample where no fold cuts through years. */
function mainFold(study) {
  const { all, others } = sortedFolds(study);
  const listed = others.length ? others : all;
  return listed.includes("temporal") ? "temporal" : listed[0];
}

/** Folds whose adapters answer for an estimand. */
function foldsOf(study, estimand) {
  const { random, others } = sortedFolds(study);
  if (estimand === "in_sample" && random.length) return random.slice(0, 1);
  const turns = others.filter((fold) => fold !== "temporal");
  return estimand === "held_out" && turns.length ? turns : [mainFold(study)];
}

/** Columns whose answers count as one: the samples that a run drew at one level and checkpoint. */
function cellsOf(columns) {
  const found = new Map();
  for (const column of columns) {
    const key = [column.role, column.variant, column.seed, column.level, column.iteration].join(" ");
    found.set(key, [...(found.get(key) ?? []), column]);
  }
  return [...found.values()];
}

/** Questions that count, and how right each run is on them: 1 or 0, or the mean over its samples.
 *
 * `counts`: of each side, how many answers there are and how many of them are right; `drawn`:
 * whether a run has several answers to a question.
 */
function readRight(study, grid, state, sides) {
  const questions = grid.questions.filter((question) => !state.struck.has(question)
    && sides.every((columns) => columns.every((column) => column.cells.has(question))));
  if (questions.length === 0 || sides.some((columns) => columns.length === 0)) return null;
  const one = (column, question) => (verdictOf(state, column, question) === "r" ? 1 : 0);
  const cells = sides.map(cellsOf);
  const right = (side) => questions.map((question) => side.map((columns) => mean(columns.map((column) => one(column, question)))));
  const count = (columns) => ({
    right: questions.reduce((sum, question) => sum + columns.reduce((own, column) => own + one(column, question), 0), 0),
    asked: questions.length * columns.length,
  });
  return {
    questions,
    clusters: questions.map((question) => study.questions[question].cluster),
    strata: questions.map((question) => study.questions[question].stratum ?? ""),
    right: cells.map(right),
    counts: sides.map(count),
    drawn: cells.some((side) => side.some((columns) => columns.length > 1)),
  };
}

function share({ study, grid, state }, columns) {
  const found = readRight(study, grid, state, [columns]);
  if (!found) return null;
  const [rows] = found.right;
  return {
    kind: "share", scale: 100, ...accuracy(rows, found.clusters, Number(study.settings.alpha)),
    counts: found.counts[0],
  };
}

function difference({ study, grid, state }, one, two, names) {
  const found = readRight(study, grid, state, [one, two]);
  if (!found) return null;
  const [first, second] = found.right;
  if (second[0].length > 1 && second[0].length !== first[0].length) return null;
  const counts = { both: 0, gained: 0, lost: 0, neither: 0 };
  const differences = first.map((row, place) => row.map((value, seed) => {
    const other = second[place].length === 1 ? second[place][0] : second[place][seed];
    counts[value ? (other ? "both" : "gained") : other ? "lost" : "neither"] += 1;
    return value - other;
  }));
  return { kind: "difference", scale: 100, names, drawn: found.drawn, ...pairedGain(differences, found.clusters, Number(study.settings.alpha), found.strata), counts };
}

/** Columns of the student by level, longest first; null where a level has none. */
function byLevel(study, student) {
  const sides = study.settings.levels.map((level) => student.filter((column) => column.level === level));
  return sides.every((columns) => columns.length > 0) ? sides : null;
}

/** Each level's answers: how many, how many right, and their mean words. */
function levelRows({ study, grid, state }, sides) {
  const found = readRight(study, grid, state, sides);
  if (!found) return null;
  const rows = study.settings.levels.map((level, place) => {
    const counts = sides[place].flatMap((column) => found.questions.map((question) => state.words[column.cells.get(question)]?.[question]));
    if (counts.some((count) => count === undefined || count === null)) return null;
    const { right, asked } = found.counts[place];
    return { level, words: mean(counts), right, asked, accuracy: right / asked };
  });
  return rows.includes(null) ? null : { ...found, rows };
}

function levelSlope(given, student) {
  const sides = byLevel(given.study, student);
  const found = sides && levelRows(given, sides);
  if (!found) return null;
  const levels = found.questions.map((_, place) => found.right.map((side) => mean(side[place])));
  const made = slope(levels, found.rows.map((row) => row.words), found.clusters, Number(given.study.settings.alpha));
  return { kind: "slope", scale: 100, ...made, levels: found.rows.map((row, place) => ({ ...row, score: made.scores[place] })) };
}

function levelTable(given, student) {
  const sides = byLevel(given.study, student);
  const found = sides && levelRows(given, sides);
  return found && { kind: "levels", scale: 1, estimate: found.rows.length, low: found.rows.length, high: found.rows.length, p: null, n: found.questions.length, levels: found.rows };
}

function sectionDrop(given, student) {
  const { study } = given;
  const [longest, shortest] = [study.settings.levels[0], study.settings.levels.at(-1)]
    .map((level) => student.filter((column) => column.level === level));
  const found = readRight(study, given.grid, given.state, [longest, shortest]);
  if (!found || longest.length !== shortest.length) return null;
  const sections = found.questions.map((question) => study.questions[question].section ?? "");
  // Seed by seed, then their mean, as the study's own arithmetic has it.
  const drops = found.right[0].map((row, place) => mean(row.map((value, seed) => value - found.right[1][place][seed])));
  const speed = study.settings.speed_section;
  const made = sectionContrast(drops, sections, speed, found.clusters, Number(study.settings.alpha));
  if (!made) return null;
  const rows = [...new Set(sections)].sort().map((name) => {
    const own = drops.flatMap((drop, place) => (sections[place] === name ? [place] : []));
    const at = (side) => mean(own.map((place) => mean(found.right[side][place])));
    return { section: name, questions: own.length, longest: at(0), shortest: at(1), drop: mean(own.map((place) => drops[place])), contrast: made.contrasts.get(name) };
  });
  return { kind: "sections", scale: 100, ...made, rows, speed, names: [study.settings.levels[0], study.settings.levels.at(-1)] };
}

/** Whether the questions reported on have a duplicate or template among those trained or validated on. */
function splitOverlap({ study, state, claim }) {
  let [overlapping, total] = [0, 0];
  const parts = [];
  for (const fold of foldsOf(study, claim.estimand)) {
    const asked = study.questions.flatMap((row, place) =>
      (row.benchmark === "competition" && row.parts[fold] && !state.struck.has(place) ? [row] : []));
    const used = new Set(asked.filter((row) => row.parts[fold] !== "test").map((row) => row.alike));
    const reported = claim.estimand === "in_sample" ? asked : asked.filter((row) => row.parts[fold] === "test");
    overlapping += reported.filter((row) => used.has(row.alike)).length;
    total += reported.length;
    parts.push([fold, ...["train", "validation", "test"].map((part) => asked.filter((row) => row.parts[fold] === part).length)]);
  }
  if (total === 0) return null;
  return { kind: "overlap", scale: 100, ...wilson(overlapping, total, Number(study.settings.alpha)), counts: { right: overlapping, asked: total }, parts };
}

/** Rise of the validation loss from its minimum to the horizon, the minimum located on the other runs. */
function lossRise({ study }) {
  const published = study.stops.some((row) => row.variant === "published");
  const [variant, fold] = published ? ["published", foldsOf(study, "in_sample")[0]] : ["prompt", mainFold(study)];
  const sets = study.stops.filter((row) => row.fold === fold);
  const chosen = sets.find((row) => row.variant === variant);
  if (!chosen) return null;
  const pilot = Number(chosen.stops.pilot.seed);
  const curves = new Map(study.curves.filter((curve) => curve.fold === fold && curve.variant === chosen.variant)
    .map((curve) => [curve.seed, new Map(curve.points)]));
  const wanted = [...new Set([...Object.keys(sets[0].stops.seed).map(Number), pilot])].sort((a, b) => a - b);
  const runs = wanted.filter((seed) => curves.has(seed));
  if (!curves.has(pilot) || runs.length < 2) return null;
  const iterations = [...curves.get(pilot).keys()].filter((at) => [...curves.values()].every((curve) => curve.has(at))).sort((a, b) => a - b);
  const lowest = (loss) => iterations.reduce((least, at) => (loss(at) < loss(least) ? at : least));
  const last = iterations.at(-1);
  const rows = runs.map((run) => {
    const others = runs.filter((other) => other !== run);
    const turn = lowest((at) => mean(others.map((other) => curves.get(other).get(at))));
    const [there, end] = [turn, last].map((at) => curves.get(run).get(at));
    return { run, pilot: run === pilot, turn, there, end, rise: end - there };
  });
  return { kind: "losses", scale: 1, ...signTest(rows.map((row) => row.rise)), rows, last };
}

const FORMULAS = {
  base_accuracy: (given, { base }) => share(given, base),
  teacher_accuracy: (given, { teacher }) => share(given, teacher),
  student_accuracy: (given, { student }) => share(given, student),
  gain_over_base: (given, { student, base }) => difference(given, student, base, ["student", "base"]),
  gain_tests: (given, { student, base }) => difference(given, student, base, ["student", "base"]),
  teacher_over_base: (given, { teacher, base }) => difference(given, teacher, base, ["teacher", "base"]),
  stop_worth: (given, { at }) => difference(given, at(given.study.settings.primary_stop), at("horizon"), [given.study.settings.primary_stop, "horizon"]),
  level_slope: (given, { student }) => levelSlope(given, student),
  level_table: (given, { student }) => levelTable(given, student),
  section_drop: (given, { student }) => sectionDrop(given, student),
  split_overlap: (given) => splitOverlap(given),
  loss_rise: (given) => lossRise(given),
};

/** Whether a claim's number is computed on the page. */
export const isKnown = (formula) => formula in FORMULAS;

/** Whether what a reader strikes or toggles can change it. */
export const canChange = (formula) => isKnown(formula) && formula !== "loss_rise";

/** How a claim's number follows from its rows; null where the page cannot tell.
 *
 * Returns {kind, scale, estimate, low, high, p, ...}: estimate and interval times `scale` are the
 * table's; what else there is goes with the kind.
 */
export function compute(study, grid, claim, state) {
  const make = FORMULAS[claim.formula];
  if (!make) return null;
  const role = (name) => grid.columns.filter((column) => column.role === name && !column.beside);
  const student = role("student");
  const at = (stop) => student.filter((column) => column.iteration === stopOf(study, column, stop));
  return make({ study, grid, state, claim }, { base: role("base"), teacher: role("teacher"), student, at });
}
