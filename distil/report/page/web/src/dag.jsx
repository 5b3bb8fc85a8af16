// Rules as a graph from the exam papers down to the page, from what their jobs read and wrote.

const [WIDE, HIGH, GAP] = [168, 34, 26];

/** Edges between rules, and each rule's layer: one more than the deepest rule that it reads from. */
export function layout(jobs) {
  const writer = new Map(jobs.flatMap((job) => job.outputs.map((path) => [path, job.rule])));
  const above = new Map(jobs.map((job) => [job.rule, new Set()]));
  for (const job of jobs) {
    for (const path of job.inputs) {
      const rule = writer.get(path);
      if (rule && rule !== job.rule) above.get(job.rule).add(rule);
    }
  }
  const depth = new Map();
  const find = (rule) => {
    if (!depth.has(rule)) depth.set(rule, 1 + Math.max(-1, ...[...above.get(rule)].map(find)));
    return depth.get(rule);
  };
  const layers = [];
  for (const rule of above.keys()) (layers[find(rule)] ??= []).push(rule);
  // Few lines cross where a rule stands near the mean place of what it reads (barycentre method).
  const place = new Map();
  for (const layer of layers) {
    const mean = (rule) => {
      const known = [...above.get(rule)].map((one) => place.get(one)).filter((at) => at !== undefined);
      return known.length ? known.reduce((sum, at) => sum + at, 0) / known.length : 0.5;
    };
    layer.sort((a, b) => mean(a) - mean(b) || (a < b ? -1 : 1));
    layer.forEach((rule, at) => place.set(rule, (at + 0.5) / layer.length));
  }
  return { above, layers };
}

function reach(start, next) {
  const found = new Set();
  const pending = [start];
  while (pending.length) for (const rule of next(pending.pop())) if (!found.has(rule)) { found.add(rule); pending.push(rule); }
  return found;
}

export function Dag({ jobs, open, setOpen }) {
  const { above, layers } = layout(jobs);
  const most = Math.max(...layers.map((layer) => layer.length));
  const width = most * (WIDE + GAP) + GAP;
  const height = layers.length * (HIGH + GAP) + GAP;
  const at = new Map();
  layers.forEach((layer, row) => layer.forEach((rule, column) => {
    at.set(rule, [((column + 0.5) / layer.length) * width, GAP + row * (HIGH + GAP) + HIGH / 2]);
  }));
  const below = (rule) => [...above].filter(([, read]) => read.has(rule)).map(([name]) => name);
  const near = open ? new Set([open, ...reach(open, (rule) => above.get(rule)), ...reach(open, below)]) : null;
  const dim = (rule) => (near && !near.has(rule) ? "dim" : "");
  const seconds = (rule) => jobs.filter((job) => job.rule === rule).reduce((sum, job) => sum + job.seconds, 0);
  return (
    <div class="scroll dag-box" tabIndex={0} role="region" aria-label="Rules as a graph">
      <svg class="dag" viewBox={`0 0 ${width} ${height}`} style={{ minWidth: `${Math.min(width, 700)}px`, maxWidth: `${width * 1.15}px` }} role="group" aria-label="Rules, from exam papers to the page">
        {[...above].flatMap(([rule, read]) => [...read].map((one) => {
          const [[x0, y0], [x1, y1]] = [at.get(one), at.get(rule)];
          const [from, to] = [y0 + HIGH / 2, y1 - HIGH / 2];
          return <path key={`${one} ${rule}`} class={`edge ${dim(one) || dim(rule)}`} d={`M${x0},${from}C${x0},${from + GAP} ${x1},${to - GAP} ${x1},${to}`} />;
        }))}
        {[...at].map(([rule, [x, y]]) => (
          <g key={rule} class={`node ${dim(rule)} ${open === rule ? "open" : ""}`} role="button" tabIndex={0} aria-pressed={open === rule}
            aria-label={`${rule}, ${seconds(rule).toFixed(1)} seconds`} onClick={() => setOpen(open === rule ? null : rule)}
            onKeyDown={(event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); setOpen(open === rule ? null : rule); } }}>
            <rect x={x - WIDE / 2} y={y - HIGH / 2} width={WIDE} height={HIGH} rx="7" />
            <text x={x} y={y + 4.5} text-anchor="middle">{rule}</text>
          </g>
        ))}
      </svg>
    </div>
  );
}
