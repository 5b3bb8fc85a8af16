// The workflow as a graph from the exam papers down to the page, from what its jobs read and wrote.
// A node is a stage, or a rule of a stage that was opened; the files of its jobs are folded in it.
import dagre from "@dagrejs/dagre";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { size, time } from "./words.js";

const [WIDE, HIGH] = [178, 46];
const ZOOMS = [0.5, 0.67, 0.8, 1, 1.25, 1.6, 2];

/** Nodes by name with their jobs, links between them, and of these the edges that are drawn; stages of `opened` as their rules, the others as one. */
export function foldJobs(jobs, opened) {
  const nameOf = (job) => (opened.has(job.stage) || !job.stage ? job.rule : job.stage);
  const writer = new Map(jobs.flatMap((job) => job.outputs.map((path) => [path, job])));
  const nodes = new Map();
  const edges = new Map();
  for (const job of jobs) {
    const name = nameOf(job);
    if (!nodes.has(name)) nodes.set(name, { name, stage: job.stage, whole: name === job.stage && !opened.has(job.stage), jobs: [] });
    nodes.get(name).jobs.push(job);
    for (const path of job.inputs) {
      const above = writer.get(path);
      if (above && nameOf(above) !== name) edges.set(`${nameOf(above)}\n${name}`, [nameOf(above), name]);
    }
  }
  const links = [...edges.values()];
  // What a node reads from stands before it: it has fewer nodes above it.
  const above = new Map([...nodes.keys()].map((name) => [name, reach(name, (one) => links.filter(([, two]) => two === one).map(([from]) => from)).size]));
  return { nodes: [...nodes.values()].sort((a, b) => above.get(a.name) - above.get(b.name)), links, edges: reduced(links) };
}

/** The edges without those that a longer way implies: what can be reached stays the same. */
function reduced(edges) {
  const kept = new Set(edges);
  for (const edge of edges) {
    kept.delete(edge);
    const next = (name) => [...kept].filter(([one]) => one === name).map(([, two]) => two);
    if (!reach(edge[0], next).has(edge[1])) kept.add(edge);
  }
  return [...kept];
}

/** Places of nodes and the lines between them. */
function layOut(nodes, edges) {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "TB", nodesep: 22, ranksep: 40, marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of nodes) graph.setNode(node.name, { width: WIDE, height: HIGH });
  for (const [one, two] of edges) graph.setEdge(one, two);
  dagre.layout(graph);
  return {
    width: graph.graph().width,
    height: graph.graph().height,
    at: new Map(nodes.map((node) => [node.name, graph.node(node.name)])),
    lines: edges.map(([one, two]) => ({ one, two, points: graph.edge(one, two).points })),
  };
}

function reach(start, next) {
  const found = new Set([start]);
  const pending = [start];
  while (pending.length) for (const name of next(pending.pop())) if (!found.has(name)) { found.add(name); pending.push(name); }
  return found;
}

const path = (points) => points.map(({ x, y }, place) => `${place ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`).join("");

/** How the jobs of a node fare: the worst of their states. */
export const stateOf = (jobs) => ["at fault", "missing", "stale"].find((state) => jobs.some((job) => job.state === state)) ?? "fresh";

export const totals = (jobs) => ({
  seconds: jobs.reduce((sum, job) => sum + job.seconds, 0),
  bytes: jobs.reduce((sum, job) => sum + job.bytes, 0),
  files: jobs.reduce((sum, job) => sum + job.outputs.length, 0),
});

export function Dag({ jobs, graph: { nodes, edges }, opened, setOpened, chosen, choose, fits }) {
  const box = useRef(null);
  const [zoom, setZoom] = useState(1);
  const { width, height, at, lines } = useMemo(() => layOut(nodes, edges), [nodes, edges]);
  const whole = () => setZoom(Math.min(1, Math.max(0.8, (box.current.clientWidth - 24) / width)));
  useLayoutEffect(whole, [width]);
  useLayoutEffect(() => { box.current.scrollLeft = (box.current.scrollWidth - box.current.clientWidth) / 2; }, [width, zoom]);
  const step = (by) => setZoom((now) => (by > 0 ? ZOOMS.find((one) => one > now + 0.01) : ZOOMS.findLast((one) => one < now - 0.01)) ?? now);
  const above = (name) => edges.filter(([, two]) => two === name).map(([one]) => one);
  const below = (name) => edges.filter(([one]) => one === name).map(([, two]) => two);
  const near = useMemo(() => (chosen && at.has(chosen) ? new Set([...reach(chosen, above), ...reach(chosen, below)]) : null), [chosen, edges]);
  const dim = (name) => ((near && !near.has(name)) || !fits(nodes.find((node) => node.name === name)) ? "dim" : "");
  const stages = [...new Set(jobs.map((job) => job.stage).filter(Boolean))];
  return (
    <div class="dag-frame">
      <p class="dag-buttons">
        <button type="button" onClick={() => setOpened(opened.size === stages.length ? new Set() : new Set(stages))}>{opened.size === stages.length ? "fold stages" : "unfold every stage"}</button>
        <span class="zoom"><button type="button" onClick={() => step(-1)} aria-label="smaller">−</button>
        <button type="button" onClick={whole}>fit</button>
        <button type="button" onClick={() => step(1)} aria-label="larger">+</button></span>
        <span class="fine" role="status">{nodes.length} nodes, {Math.round(100 * zoom)} %</span>
      </p>
      <div class="scroll dag-box" tabIndex={0} role="region" aria-label="Workflow as a graph" ref={box}
        onWheel={(event) => { if (event.ctrlKey) { event.preventDefault(); step(-event.deltaY); } }}>
        <svg class="dag" viewBox={`0 0 ${width} ${height}`} width={zoom * width} height={zoom * height} role="group" aria-label="Stages and rules, from exam papers to the page">
          <defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0,0L8,4L0,8z" /></marker></defs>
          {lines.map(({ one, two, points }) => <path key={`${one} ${two}`} class={`edge ${dim(one) || dim(two)} ${near && (one === chosen || two === chosen) ? "near" : ""}`} d={path(points)} marker-end="url(#tip)" />)}
          {nodes.map((node) => {
            const { x, y } = at.get(node.name);
            const { seconds, bytes } = totals(node.jobs);
            const state = stateOf(node.jobs);
            const rules = new Set(node.jobs.map((job) => job.rule)).size;
            const told = `${node.whole ? `${rules} ${rules === 1 ? "rule" : "rules"}, ` : ""}${time(seconds)}, ${size(bytes)}`;
            const press = () => choose(chosen === node.name ? null : node.name);
            return (
              <g key={node.name} class={`node ${node.whole ? "stage" : "rule"} ${state.replace(" ", "-")} ${dim(node.name)} ${chosen === node.name ? "open" : ""}`} role="button" tabindex="0"
                aria-pressed={chosen === node.name} data-node={node.name} aria-label={`${node.name} ${told}, ${node.whole ? "a stage" : "a rule"}, ${state}`}
                onClick={press} onDblClick={() => node.stage && setOpened(toggled(opened, node.stage))}
                onKeyDown={(event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); press(); } }}>
                {node.whole && rules > 1 ? <rect class="behind" x={x - WIDE / 2 + 5} y={y - HIGH / 2 - 4} width={WIDE - 10} height={HIGH} rx="7" /> : null}
                <rect x={x - WIDE / 2} y={y - HIGH / 2} width={WIDE} height={HIGH} rx="7" />
                <text class="name" x={x} y={y - 3} text-anchor="middle">{node.name}</text>{" "}
                <text class="told" x={x} y={y + 13} text-anchor="middle">{told}{state === "fresh" ? "" : `, ${state}`}</text>
              </g>
            );
          })}
        </svg>
      </div>
    </div>
  );
}

/** A set with a member more, or without it. */
export function toggled(set, name) {
  const found = new Set(set);
  if (!found.delete(name)) found.add(name);
  return found;
}
