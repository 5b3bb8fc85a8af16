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

/** Sums and sizes of clusters of the questions' means. */
function clusterSums(rows, clusters) {
  const found = new Map();
  rows.forEach((row, place) => {
    const known = found.get(clusters[place]) ?? { sum: 0, size: 0 };
    known.sum += mean(row);
    known.size += 1;
    found.set(clusters[place], known);
  });
  return [...found.values()];
}

function linearised(rows, clusters) {
  const groups = clusterSums(rows, clusters);
  const total = groups.reduce((sum, group) => sum + group.sum, 0);
  const size = groups.reduce((sum, group) => sum + group.size, 0);
  const centre = total / size;
  return groups.map((group) => centre + ((group.sum - centre * group.size) * groups.length) / size);
}

/** Share of right answers with a Wilson interval at the effective number of answers.
 *
 * rows: 0 or 1, one list of seeds a question. Returns {estimate, low, high, n, clusters, effective}.
 */
export function accuracy(rows, clusters, alpha) {
  const pseudo = linearised(rows, clusters);
  const share = mean(rows.map(mean));
  const count = pseudo.length;
  const seeds = rows[0].length;
  const centre = mean(pseudo);
  const spread = count > 1
    ? pseudo.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (count - 1) / count
    : 0;
  let effective = count;
  if (!(seeds === 1 && count === rows.length) && share * (1 - share) > 0 && spread > LITTLE) {
    effective = Math.min((share * (1 - share)) / spread, rows.length * seeds);
  }
  const z = normalCritical(alpha);
  const widened = 1 + (z * z) / effective;
  const middle = (share + (z * z) / (2 * effective)) / widened;
  const half = (z * Math.sqrt((share * (1 - share)) / effective + (z * z) / (4 * effective * effective))) / widened;
  let [low, high] = [Math.max(middle - half, 0), Math.min(middle + half, 1)];
  if (count < 2 && rows.length > 1) [low, high] = [0, 1];
  return {
    estimate: share, low: Math.min(low, share), high: Math.max(high, share), n: rows.length,
    clusters: count, effective, se: Math.sqrt(spread), test: "Wilson interval", p: null,
  };
}

/** Mean paired difference, least squares on a constant with standard errors clustered by question. */
export function pairedGain(rows, clusters, alpha) {
  const estimate = mean(rows.map(mean));
  const groups = clusterSums(rows, clusters);
  const count = groups.length;
  const told = { estimate, n: rows.length, clusters: count, test: "paired OLS, clustered" };
  if (count < 2) return { ...told, low: -1, high: 1, p: 1, se: 0 };
  const pseudo = linearised(rows, clusters);
  const centre = mean(pseudo);
  if (Math.sqrt(mean(pseudo.map((value) => (value - centre) ** 2))) < LITTLE) {
    const share = 1 - (alpha / 2) ** (1 / count);
    const p = Math.abs(estimate) < LITTLE ? 1 : Math.min(1, 2 * 0.5 ** count);
    return { ...told, low: estimate - share * (estimate + 1), high: estimate + share * (1 - estimate), p, se: 0 };
  }
  const seeds = rows[0].length;
  const scores = groups.map((group) => seeds * (group.sum - estimate * group.size));
  const variance = (count / (count - 1)) * scores.reduce((sum, score) => sum + score * score, 0)
    / (rows.length * seeds) ** 2;
  const se = Math.sqrt(variance);
  const half = tCritical(alpha, count - 1) * se;
  return {
    ...told, se, low: Math.max(estimate - half, -1), high: Math.min(estimate + half, 1),
    p: twoSided(estimate / se, count - 1),
  };
}
