// Which jobs a claim rests on: a walk from its table up through what its rows were made from.
// It leaves out what a job read for other rows, as distil/audit/differences.py does.
import { homeOf } from "./data.js";
import { keyOf } from "./claims.jsx";

const ROW_BY_ROW = new Set(["predictions", "grades", "answers", "claims", "tables"]);

/** A file of the study by its kind and what its name says. */
function fileOf(path, top) {
  if (!path.startsWith(top)) return { kind: "" };
  const [kind, ...rest] = path.slice(top.length).split("/");
  const name = rest.join("/").replace(/\.[a-z]+$/, "");
  if (kind === "grades" && name === "answers") return { kind: "answers" };
  if (kind === "predictions" || kind === "grades") return { kind, run: name };
  if (kind === "adapters" && rest.at(-1) === "stops.json") return { kind: "stops", set: rest.slice(0, 2).join("/") };
  if (kind === "adapters" && rest.at(-1) === "curve.csv") return { kind: "curve", set: rest.slice(0, 2).join("/") };
  if (["problems", "benchmarks", "extractions", "crops", "traces"].includes(kind)) return { kind, home: rest[0].replace(/\.[a-z]+$/, "") };
  return { kind };
}

/** What the rows of a claim name: runs, years and benchmarks, folds with variants, curves. */
function needs(study, cell) {
  const [runs, homes, sets] = [new Set(), new Set(), new Set()];
  for (const [number, questions] of cell.columns) {
    const column = study.columns[number];
    runs.add(column.run);
    if (column.role === "student") sets.add(column.run.split("/").slice(0, 2).join("/"));
    for (const place of study.evidence.sets[questions]) homes.add(homeOf(study.questions[place]));
  }
  const curves = cell.other.filter((row) => /^(curve|stop)\//.test(row));
  for (const row of curves) sets.add(row.split("/").slice(1, 3).join("/"));
  return { runs, homes, sets, curves: curves.length > 0 };
}

function matters(job, path, top, wanted) {
  const file = fileOf(path, top);
  const made = new Set(job.outputs.map((output) => fileOf(output, top).kind));
  const reads = [...made].some((kind) => ROW_BY_ROW.has(kind));
  if (file.kind === "stops" || file.kind === "curve") {
    if (file.kind === "curve" && (made.has("claims") || made.has("tables"))) return wanted.curves;
    return made.has("stops") || wanted.sets.has(file.set);
  }
  if (!reads) return true;
  if (file.run) return wanted.runs.has(file.run);
  return file.home === undefined || wanted.homes.has(file.home);
}

/** {job: keys of the claims that rest on it}, for a run's jobs. */
export function claimsByJob(study, claims, jobs) {
  const top = `results/${study.name}/`;
  const writer = new Map(jobs.flatMap((job) => job.outputs.map((path) => [path, job])));
  const found = new Map(jobs.map((job) => [job.job, []]));
  const start = writer.get(`${top}claims/claims.csv`);
  for (const claim of start ? claims : []) {
    const cell = study.evidence.cells[keyOf(claim)];
    if (!cell || (cell.columns.length === 0 && !cell.other.some((row) => row.includes("/") && !row.startsWith("published")))) continue;
    const wanted = needs(study, cell);
    const seen = new Set([start]);
    const pending = [start];
    while (pending.length) {
      const job = pending.pop();
      found.get(job.job).push(keyOf(claim));
      for (const path of job.inputs) {
        const above = writer.get(path);
        if (above && !seen.has(above) && matters(job, path, top, wanted)) {
          seen.add(above);
          pending.push(above);
        }
      }
    }
  }
  return found;
}
