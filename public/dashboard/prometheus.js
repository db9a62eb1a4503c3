/**
 * Prometheus' text format, read, and what two readings say of the time between them.
 *
 *     text -> parse -> name -> samples    {labels, value}
 *     increase(before, after, …)          how much counters grew, by a label
 *     quantile(before, after, …)          of a histogram, in its unit
 */

const SAMPLE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const ESCAPED = { "\\n": "\n", '\\"': '"', "\\\\": "\\" };

const number = (text) => (text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text));

/** Return name -> samples. @param {string} text @returns {Map<string, { labels: Record<string, string>, value: number }[]>} */
export function parse(text) {
  const samples = new Map();
  for (const line of text.split("\n")) {
    const found = line.startsWith("#") ? null : SAMPLE.exec(line);
    if (!found) continue;
    const labels = {};
    for (const [, name, value] of (found[2] ?? "").matchAll(LABEL)) {
      labels[name] = value.replace(/\\[n"\\]/g, (escaped) => ESCAPED[escaped]);
    }
    if (!samples.has(found[1])) samples.set(found[1], []);
    samples.get(found[1]).push({ labels, value: number(found[3]) });
  }
  return samples;
}

const identity = (labels) => JSON.stringify(Object.entries(labels).sort());

const chosen = (samples, name, where) =>
  (samples?.get(name) ?? []).filter(({ labels }) => Object.entries(where).every(([label, value]) => labels[label] === value));

/**
 * Return how much the counters called *name* grew, summed by *label*; by nothing, under "", without one. A counter that
 * shrank began anew. Without *before*: since they began.
 *
 * @param {any} before @param {any} after @param {string} name @param {string | null} label @param {Record<string, string>} where
 * @returns {Map<string, number>}
 */
export function increase(before, after, name, label = null, where = {}) {
  const old = new Map(chosen(before, name, where).map(({ labels, value }) => [identity(labels), value]));
  const sums = new Map();
  for (const { labels, value } of chosen(after, name, where)) {
    const was = old.get(identity(labels)) ?? 0;
    const by = label === null ? "" : (labels[label] ?? "");
    sums.set(by, (sums.get(by) ?? 0) + (value < was ? value : value - was));
  }
  return sums;
}

/** Return the largest gauge called *name*, by *label*. */
export function largest(samples, name, label = null, where = {}) {
  const found = new Map();
  for (const { labels, value } of chosen(samples, name, where)) {
    const by = label === null ? "" : (labels[label] ?? "");
    found.set(by, Math.max(found.get(by) ?? -Infinity, value));
  }
  return found;
}

/**
 * Return the *share* quantile of what the histogram *name* took in between, null when that is nothing.
 *
 * Series of one histogram may have different bounds, where empty buckets are left out: so each is taken apart into
 * its buckets first.
 */
export function quantile(share, before, after, name, where = {}) {
  const old = buckets(before, name, where);
  const grown = new Map();
  for (const [series, counts] of buckets(after, name, where)) {
    for (const [bound, count] of counts) {
      const was = old.get(series)?.get(bound) ?? 0;
      grown.set(bound, (grown.get(bound) ?? 0) + (count < was ? count : count - was));
    }
  }
  const sorted = [...grown].filter(([, count]) => count > 0).sort(([one], [other]) => one - other);
  const bounds = [...grown.keys()].sort((one, other) => one - other);
  let left = share * sorted.reduce((sum, [, count]) => sum + count, 0);
  for (const [bound, count] of sorted) {
    if (count >= left) {
      const below = bounds[bounds.indexOf(bound) - 1] ?? 0;
      return bound === Infinity ? below : below + ((bound - below) * left) / count;
    }
    left -= count;
  }
  return null;
}

/** series -> bound -> how many are in that bucket alone. */
function buckets(samples, name, where) {
  const series = new Map();
  for (const { labels, value } of chosen(samples, `${name}_bucket`, where)) {
    const { le, ...others } = labels;
    const id = identity(others);
    if (!series.has(id)) series.set(id, []);
    series.get(id).push([number(le), value]);
  }
  const alone = new Map();
  for (const [id, pairs] of series) {
    pairs.sort(([one], [other]) => one - other);
    alone.set(id, new Map(pairs.map(([bound, count], index) => [bound, count - (pairs[index - 1]?.[1] ?? 0)])));
  }
  return alone;
}
