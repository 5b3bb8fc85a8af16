// Small charts as SVG.

function ticks(least, most, count = 4) {
  const rough = (most - least) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  const found = [];
  for (let value = Math.ceil(least / step) * step; value <= most + 1e-9; value += step) found.push(Number(value.toPrecision(10)));
  return found;
}

/** Lines over one axis. series: [{name, points: [[x, y]], strong, low, high}]; marks: [{x, name}]. */
export function Lines({ series, marks = [], xName, yName, title, width = 640, height = 300, from }) {
  const points = series.flatMap((one) => one.points);
  if (points.length === 0) return null;
  const [left, right, top, bottom] = [52, 18, 26, 44];
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  const spread = Math.max(...ys) - Math.min(...ys) || 1;
  const [y0, y1] = [from ?? Math.min(...ys) - 0.06 * spread, Math.max(...ys) + 0.06 * spread];
  const x = (value) => left + ((value - x0) / (x1 - x0 || 1)) * (width - left - right);
  const y = (value) => height - bottom - ((value - y0) / (y1 - y0)) * (height - top - bottom);
  return (
    <div class="scroll chart-box" tabIndex={0} role="region" aria-label={title}>
    <svg class="chart" viewBox={`0 0 ${width} ${height}`} role="img" aria-label={title}>
      {ticks(y0, y1).map((value) => (
        <g key={value}>
          <line class="rule" x1={left} x2={width - right} y1={y(value)} y2={y(value)} />
          <text x={left - 8} y={y(value) + 4} text-anchor="end">{value}</text>
        </g>
      ))}
      {ticks(x0, x1, 6).map((value) => <text key={value} x={x(value)} y={height - bottom + 18} text-anchor="middle">{value}</text>)}
      <text class="axis-name" x={(left + width - right) / 2} y={height - 4} text-anchor="middle">{xName}</text>
      <text class="axis-name" x={left - 40} y={16} text-anchor="start">{yName}</text>
      {marks.map((mark) => <line key={mark.name} class="mark" x1={x(mark.x)} x2={x(mark.x)} y1={top} y2={height - bottom} />)}
      {series.map((one) => (
        <polyline key={one.name} class={one.class ?? "line"} points={one.points.map(([a, b]) => `${x(a)},${y(b)}`).join(" ")}>
          <title>{one.name}</title>
        </polyline>
      ))}
      {marks.map((mark, place) => {
        const before = mark.x > (x0 + x1) / 2; // of its line, where the line stands on the right
        return <text key={mark.name} class="mark-name" x={x(mark.x) + (before ? -5 : 5)} y={top + 14 + 15 * place} text-anchor={before ? "end" : "start"}>{mark.name}</text>;
      })}
    </svg>
    </div>
  );
}

/** One small multiple: accuracy of base and student at one level, with intervals. */
export function Pair({ rows, most = 100, title }) {
  const [width, height] = [200, 74];
  const x = (value) => 60 + (Number(value) / most) * (width - 76);
  return (
    <svg class="pair-chart" viewBox={`0 0 ${width} ${height}`} role="img" aria-label={title}>
      {[0, 50, 100].map((value) => (
        <g key={value}>
          <line class="rule" x1={x(value)} x2={x(value)} y1="4" y2="54" />
          <text x={x(value)} y="70" text-anchor="middle">{value}</text>
        </g>
      ))}
      {rows.map((row, place) => (
        <g key={row.name} class={row.name}>
          <text x="52" y={20 + 24 * place} text-anchor="end">{row.name}</text>
          <line class="bar" x1={x(row.low)} x2={x(row.high)} y1={16 + 24 * place} y2={16 + 24 * place} />
          <circle class="dot" cx={x(row.value)} cy={16 + 24 * place} r="4" />
        </g>
      ))}
    </svg>
  );
}
