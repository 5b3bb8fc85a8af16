// The estimators that claims are made of (distil/inference/gains.py), for questions that change.

const LITTLE = 1e-12;

function lnGamma(x) {
  // Lanczos, g = 7, n = 9; relative error below 1e-15.
  const c = [0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313,
    -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6,
    1.5056327351493116e-7];
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - lnGamma(1 - x);
  const t = x + 6.5;
  let sum = c[0];
  for (let i = 1; i < 9; i += 1) sum += c[i] / (x - 1 + i);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

function incompleteBeta(a, b, x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(b, a, 1 - x);
  // Lentz's continued fraction (Numerical Recipes, section 6.4).
  const front = Math.exp(lnGamma(a + b) - lnGamma(a) - lnGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  let c = 1;
  let d = 1 / (1 - ((a + b) * x) / (a + 1));
  let result = d;
  for (let m = 1; m < 500; m += 1) {
    for (const number of [
      (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
    ]) {
      d = 1 / (1 + number * d);
      c = 1 + number / c;
      result *= c * d;
    }
    if (Math.abs(c * d - 1) < 1e-16) break;
  }
  return front * result;
}

/** One-sided tail of Student's t beyond |x|. */
function tTail(x, df) {
  return 0.5 * incompleteBeta(df / 2, 0.5, df / (df + x * x));
}

/** Two-sided p of a t statistic. */
export const twoSided = (statistic, df) => 2 * tTail(Math.abs(statistic), df);

/** The value that |t| exceeds with probability alpha. */
export function tCritical(alpha, df) {
  let low = 0;
  let high = 1;
  while (2 * tTail(high, df) > alpha) high *= 2;
  for (let step = 0; step < 200 && high - low > 1e-15 * high; step += 1) {
    const middle = (low + high) / 2;
    if (2 * tTail(middle, df) > alpha) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function normalTail(x) {
  // Series below 3 (Abramowitz and Stegun 26.2.11), continued fraction above (26.2.14).
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  if (x < 3) {
    let term = x;
    let sum = x;
    for (let k = 1; k < 200; k += 1) {
      term *= (x * x) / (2 * k + 1);
      sum += term;
      if (term < 1e-18 * sum) break;
    }
    return 0.5 - density * sum;
  }
  let fraction = x;
  for (let k = 80; k >= 1; k -= 1) fraction = x + k / fraction;
  return density / fraction;
}

/** The value that |z| exceeds with probability alpha. */
export function normalCritical(alpha) {
  let low = 0;
  let high = 40;
  for (let step = 0; step < 200 && high - low > 1e-15 * high; step += 1) {
    const middle = (low + high) / 2;
    if (2 * normalTail(middle) > alpha) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

const MANY = 40; // clusters from which on CR1 is used (distil/inference/clusters.py)
const FEWEST_DF = 4 - 1e-6;

/** Mean of the questions' values with errors clustered, strata held at their shares.
 *
 * CR2 with Satterthwaite's degrees of freedom below 40 clusters, else CR1 with clusters - 1. For
 * means by stratum the matrices of distil/inference/clusters.py have the closed form used here.
 */
function clusteredMean(values, clusters, strata) {
  const total = values.length;
  const ofStratum = new Map();
  values.forEach((value, place) => {
    const known = ofStratum.get(strata[place]) ?? { sum: 0, size: 0 };
    known.sum += value;
    known.size += 1;
    ofStratum.set(strata[place], known);
  });
  const names = [...ofStratum.keys()];
  const groups = new Map();
  values.forEach((value, place) => {
    const key = clusters[place];
    if (!groups.has(key)) groups.set(key, new Map());
    const parts = groups.get(key);
    const stratum = ofStratum.get(strata[place]);
    const known = parts.get(strata[place]) ?? { residual: 0, size: 0 };
    known.residual += value - stratum.sum / stratum.size;
    known.size += 1;
    parts.set(strata[place], known);
  });
  const list = [...groups.values()];
  const count = list.length;
  if (count >= MANY) {
    const factor = (count / (count - 1)) * ((total - 1) / (total - names.length));
    const sum = list.reduce((whole, parts) => whole + [...parts.values()].reduce((own, part) => own + part.residual, 0) ** 2, 0);
    return { se: Math.sqrt(factor * sum) / total, df: count - 1, method: "CR1", count };
  }
  const root = (part, name) => {
    const left = 1 - part.size / ofStratum.get(name).size;
    return left > 1e-10 ? 1 / Math.sqrt(left) : 0;
  };
  let variance = 0;
  for (const parts of list) {
    let score = 0;
    for (const [name, part] of parts) score += root(part, name) * part.residual;
    variance += (score / total) ** 2;
  }
  let trace = 0;
  let squares = 0;
  for (let g = 0; g < count; g += 1) {
    for (let h = 0; h < count; h += 1) {
      let entry = 0;
      for (const [name, one] of list[g]) {
        const two = list[h].get(name);
        if (!two) continue;
        const shared = (g === h ? one.size : 0) - (one.size * two.size) / ofStratum.get(name).size;
        entry += root(one, name) * root(two, name) * shared;
      }
      if (g === h) trace += entry;
      squares += entry * entry;
    }
  }
  const df = trace <= LITTLE ** 2 ? 1 : Math.max(1, (trace * trace) / squares);
  return { se: Math.sqrt(variance), df, method: "CR2", count };
}

/** Share of right answers with a Wilson interval at the effective number of answers.
 *
 * rows: 0 or 1, one list of seeds a question. Returns {estimate, low, high, n, clusters, effective}.
 */
export function accuracy(rows, clusters, alpha) {
  const values = rows.map(mean);
  const share = mean(values);
  const seeds = rows[0].length;
  const whole = clusters.map(() => "");
  const found = clusteredMean(values, clusters, whole);
  const { count } = found;
  const variance = count > 1 && found.se > LITTLE ? found.se ** 2 : 0;
  let effective = count;
  if (!(seeds === 1 && count === rows.length) && share * (1 - share) > 0 && variance > LITTLE) {
    effective = Math.min((share * (1 - share)) / variance, rows.length * seeds);
  }
  if (count > 1 && count < rows.length && variance > LITTLE) {
    effective *= (tCritical(alpha, rows.length - 1) / tCritical(alpha, found.df)) ** 2;
  }
  const z = normalCritical(alpha);
  const widened = 1 + (z * z) / effective;
  const middle = (share + (z * z) / (2 * effective)) / widened;
  const half = (z * Math.sqrt((share * (1 - share)) / effective + (z * z) / (4 * effective * effective))) / widened;
  let [low, high] = [middle - half, middle + half];
  if (count < 2 && rows.length > 1) [low, high] = [0, 1];
  return {
    estimate: share, low: Math.min(low, share), high: Math.max(high, share), n: rows.length,
    clusters: count, effective, se: Math.sqrt(variance), df: found.df, test: "Wilson interval", p: null,
  };
}

/** Strata as the estimator uses them: none where there is one only, or one of a single cluster. */
function usable(strata, clusters) {
  const groups = new Map();
  strata.forEach((name, place) => {
    if (!groups.has(name)) groups.set(name, new Set());
    groups.get(name).add(clusters[place]);
  });
  return groups.size > 1 && [...groups.values()].every((inside) => inside.size > 1);
}

/** Mean paired difference, least squares with standard errors clustered by question. */
export function pairedGain(rows, clusters, alpha, strata) {
  const values = rows.map(mean);
  const estimate = mean(values);
  const stratified = usable(strata, clusters);
  const found = clusteredMean(values, clusters, stratified ? strata : strata.map(() => ""));
  const { count } = found;
  const told = { estimate, n: rows.length, clusters: count, df: found.df, strata: stratified };
  if (count < 2) return { ...told, low: -1, high: 1, p: 1, se: 0, test: "paired OLS, clustered" };
  if (found.se <= LITTLE) {
    const share = 1 - (alpha / 2) ** (1 / count);
    const p = Math.abs(estimate) < LITTLE ? 1 : Math.min(1, 2 * 0.5 ** count);
    return { ...told, low: estimate - share * (estimate + 1), high: estimate + share * (1 - estimate), p, se: 0, test: "paired OLS, clustered" };
  }
  const half = tCritical(alpha, found.df) * found.se;
  return {
    ...told, se: found.se, low: Math.max(estimate - half, -1), high: Math.min(estimate + half, 1),
    p: found.df < FEWEST_DF ? 1 : twoSided(estimate / found.se, found.df),
    test: `paired OLS, clustered, ${found.method}${stratified ? ", post-stratified" : ""}`,
  };
}
