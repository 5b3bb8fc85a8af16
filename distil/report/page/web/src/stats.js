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

/** A weighted sum of the strata's means with errors clustered by group.
 *
 * weights: {stratum: weight}; those of a mean are the strata's shares, those of a contrast 1 and -1.
 * CR2 with Satterthwaite's degrees of freedom below 40 clusters, else CR1 with clusters - 1. For
 * means by stratum the matrices of distil/inference/clusters.py have the closed form used here.
 */
function clusteredContrast(values, clusters, strata, weights) {
  const total = values.length;
  const ofStratum = new Map();
  values.forEach((value, place) => {
    const known = ofStratum.get(strata[place]) ?? { sum: 0, size: 0 };
    known.sum += value;
    known.size += 1;
    ofStratum.set(strata[place], known);
  });
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
  const each = (name) => weights.get(name) / ofStratum.get(name).size;
  if (count >= MANY) {
    const factor = (count / (count - 1)) * ((total - 1) / (total - ofStratum.size));
    const sum = list.reduce((whole, parts) => whole + [...parts].reduce((own, [name, part]) => own + each(name) * part.residual, 0) ** 2, 0);
    return { se: Math.sqrt(factor * sum), df: count - 1, method: "CR1", count };
  }
  const root = (part, name) => {
    const left = 1 - part.size / ofStratum.get(name).size;
    return left > 1e-10 ? 1 / Math.sqrt(left) : 0;
  };
  let variance = 0;
  for (const parts of list) {
    let score = 0;
    for (const [name, part] of parts) score += each(name) * root(part, name) * part.residual;
    variance += score ** 2;
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
        entry += each(name) ** 2 * root(one, name) * root(two, name) * shared;
      }
      if (g === h) trace += entry;
      squares += entry * entry;
    }
  }
  const df = trace <= LITTLE ** 2 ? 1 : Math.max(1, (trace * trace) / squares);
  return { se: Math.sqrt(variance), df, method: "CR2", count };
}

/** Mean of the questions' values with errors clustered, strata held at their shares. */
function clusteredMean(values, clusters, strata) {
  const shares = new Map();
  for (const name of strata) shares.set(name, (shares.get(name) ?? 0) + 1 / strata.length);
  return clusteredContrast(values, clusters, strata, shares);
}

/** Wilson's interval of a share, at a number of answers that need not be whole. */
function wilsonInterval(share, effective, alpha) {
  const z = normalCritical(alpha);
  const widened = 1 + (z * z) / effective;
  const middle = (share + (z * z) / (2 * effective)) / widened;
  const half = (z * Math.sqrt((share * (1 - share)) / effective + (z * z) / (4 * effective * effective))) / widened;
  return [middle - half, middle + half];
}

/** A share of a count that is known as a whole only (distil.inference.gains.wilson). */
export function wilson(successes, total, alpha) {
  const share = successes / total;
  const [low, high] = wilsonInterval(share, total, alpha);
  return { estimate: share, low: Math.min(low, share), high: Math.max(high, share), n: total, clusters: total, test: "Wilson interval", p: null };
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
  let [low, high] = wilsonInterval(share, effective, alpha);
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
  // A symmetric interval may reach past what a difference of accuracies can be.
  const limit = rows.flat().every((value) => Math.abs(value) <= 1) ? 1 : Infinity;
  return {
    ...told, se: found.se, low: Math.max(estimate - half, -limit), high: Math.min(estimate + half, limit),
    p: found.df < FEWEST_DF ? 1 : twoSided(estimate / found.se, found.df),
    test: `paired OLS, clustered, ${found.method}${stratified ? ", post-stratified" : ""}`,
  };
}

/** Difference of the means of two groups of questions, least squares, clustered. */
function differenceOfMeans(values, inside, clusters, alpha) {
  const [own, others] = [true, false].map((side) => values.filter((_, place) => inside[place] === side));
  const estimate = mean(own) - mean(others);
  const arms = [true, false].map((side) => new Set(clusters.filter((_, place) => inside[place] === side)).size);
  const wide = { estimate, low: -2, high: 2, p: 1, se: 0, df: Math.max(new Set(clusters).size - 2, 0), method: "" };
  if (Math.min(...arms) < 2) return wide;
  const found = clusteredContrast(values, clusters, inside, new Map([[true, 1], [false, -1]]));
  if (found.se <= LITTLE) return { ...wide, df: found.df };
  const half = tCritical(alpha, found.df) * found.se;
  const p = found.df < FEWEST_DF ? 1 : twoSided(estimate / found.se, found.df);
  return { estimate, low: estimate - half, high: estimate + half, p, se: found.se, df: found.df, method: found.method };
}

/** Whether one section loses more than every other (distil.inference.levels.section_contrast).
 *
 * drops: one number a question. Returns the contrast that binds, and all of them by section; null
 * where the section does not occur or is the only one.
 */
export function sectionContrast(drops, sections, section, clusters, alpha) {
  const others = [...new Set(sections)].filter((name) => name !== section).sort();
  if (!sections.includes(section) || others.length === 0) return null;
  const contrasts = new Map(others.map((other) => {
    const chosen = sections.map((name) => name === section || name === other);
    const only = (list) => list.filter((_, place) => chosen[place]);
    return [other, differenceOfMeans(only(drops), only(sections).map((name) => name === section), only(clusters), alpha)];
  }));
  const binding = others.reduce((least, name) => (contrasts.get(name).estimate < contrasts.get(least).estimate ? name : least));
  const found = contrasts.get(binding);
  const p = found.estimate <= 0 ? Math.min(1, others.length * found.p) : Math.max(...[...contrasts.values()].map((one) => one.p));
  return {
    ...found, low: Math.max(found.low, -2), high: Math.min(found.high, 2), p, n: drops.length,
    clusters: new Set(clusters).size, binding, contrasts, test: "section contrasts, intersection-union",
  };
}

/** Slope of accuracy per doubling of the words, over levels (distil.inference.levels.trend).
 *
 * levels: mean right answers, a list of levels a question; words: mean words of each level.
 */
export function slope(levels, words, clusters, alpha) {
  const logs = words.map(Math.log2);
  const scores = logs.map((value) => value - mean(logs));
  const spread = scores.reduce((sum, value) => sum + value * value, 0);
  if (spread === 0) return { estimate: 0, low: -1, high: 1, p: 1, se: 0, df: 0, n: levels.length, clusters: new Set(clusters).size, scores, spread };
  const values = levels.map((row) => [row.reduce((sum, value, place) => sum + value * scores[place], 0) / spread]);
  return { ...pairedGain(values, clusters, alpha, clusters.map(() => "")), scores, spread, test: "slope on log words, OLS clustered" };
}

/** Median and range of a few values with the exact two-sided sign test. */
export function signTest(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  const median = sorted.length % 2 ? sorted[Math.floor(half)] : (sorted[half - 1] + sorted[half]) / 2;
  const moved = values.filter((value) => value !== 0);
  const above = moved.filter((value) => value > 0).length;
  let tail = 0;
  let ways = 1;
  for (let k = 0; k <= Math.min(above, moved.length - above); k += 1) {
    tail += ways / 2 ** moved.length;
    ways = (ways * (moved.length - k)) / (k + 1);
  }
  return { estimate: median, low: sorted[0], high: sorted.at(-1), p: moved.length ? Math.min(1, 2 * tail) : 1, n: values.length, clusters: values.length, test: "exact sign test over runs" };
}
