/**
 * What is drawn of the metrics: each figure by the names of its metrics, from two readings and the time between them.
 */

import { short, whole } from "./dom.js";
import { increase, largest, quantile } from "./prometheus.js";

const METRIC = (name) => `warmthread_${name}`;

/** Divide what counters grew by the seconds that it took. */
const rates = (name, label) => (before, after, seconds, where) =>
  new Map([...increase(before, after, METRIC(name), label, where)].map(([by, sum]) => [by || "all", sum / seconds]));

const shares = (name, label) => (before, after, _, where) => {
  const sums = increase(before, after, METRIC(name), label, where);
  const all = [...sums.values()].reduce((sum, one) => sum + one, 0);
  return new Map(all > 0 ? [...sums].map(([by, sum]) => [by, sum / all]) : []);
};

const gauges = (name, label) => (_, after, __, where) =>
  new Map([...largest(after, METRIC(name), label, where)].map(([by, value]) => [by || "largest", value]));

const percentiles = (name) => (before, after, _, where) => {
  const found = [50, 95, 99].map((percent) => [`p${percent}`, quantile(percent / 100, before, after, METRIC(name), where)]);
  return new Map(found.filter(([, value]) => value !== null));
};

const together = (...some) => (...given) => new Map(some.flatMap(([name, read]) => [...read(...given)].map(([by, value]) => [name ?? by, value])));

const perSecond = (value) => `${short(value)}/s`;
const percent = (value) => `${short(100 * value)} %`;
const seconds = (value) => (value < 1 ? `${short(1000 * value)} ms` : `${short(value)} s`);
const megabytes = (value) => `${short(value / 1e6)} MB`;

/** title, what it says, how it is read, how a value is written. */
export const FIGURES = [
  ["Requests", "A second, by class of status", rates("requests_total", "status"), perSecond],
  ["Time to answer", "Of all routes, to the end of the answer", percentiles("request_duration_seconds"), seconds],
  ["Conversations by tier", "Share of reads: L0 asked nobody, L1 got nothing new, L2 got entries", shares("reads_total", "tier"), percent],
  ["Documents by tier", "Share of what was asked for, inside contexts too", shares("document_reads_total", "tier"), percent],
  ["Event loop", "How late it was: beyond 10 ms something held it", together([null, percentiles("loop_lag_seconds")], ["largest lately", gauges("loop_lag_max_seconds")]), seconds],
  ["Memory", "The most that an instance held lately", gauges("resident_max_bytes"), megabytes],
  ["Store", "Requests a second, and commands where they are counted", together([null, rates("store_requests_total", "outcome")], ["commands", rates("store_commands_total")]), perSecond],
  ["Refusals", "A second, by reason", rates("refusals_total", "reason"), perSecond],
  ["Context tokens", "A second: kept in contexts, omitted from them", rates("context_tokens_total", "part"), perSecond],
  ["Stampedes", "A second: loads that others waited for, and waits for leases", together([null, rates("loads_shared_total", "kind")], ["lease waits", rates("lease_waits_total")]), perSecond],
  ["Evictions", "A second, by cache", rates("evictions_total", "cache"), perSecond],
  ["Invalidations", "A second, by what noticed the change", rates("invalidations_total", "source"), perSecond],
  ["Tokens counted", "A second", rates("tokens_counted_total"), perSecond],
  ["Budgets", "The largest share that any tenant has used", gauges("budget_used_max_ratio", "window"), percent],
  ["Breaker", "1: it was taken for away lately", gauges("breaker_open", "of"), short],
  ["Cold starts", "How long they took", percentiles("cold_start_seconds"), seconds],
].map(([title, hint, read, text]) => ({ title, hint, read, text }));

/** label -> what to show of all that was counted since a deployment began. */
export function totals(samples, where) {
  const sum = (name, more = {}) => increase(null, samples, METRIC(name), null, { ...where, ...more }).get("") ?? 0;
  const requests = sum("requests_total");
  const reads = sum("reads_total");
  const memory = ["L0", "L1"].reduce((all, tier) => all + sum("reads_total", { tier }), 0);
  const slow = quantile(0.95, null, samples, METRIC("request_duration_seconds"), where);
  const lag = largest(samples, METRIC("loop_lag_max_seconds"), null, where).get("");
  return new Map([
    ["Requests", whole(requests)],
    ["Failed", requests ? percent(sum("requests_total", { status: "5xx" }) / requests) : "–"],
    ["Reads from memory", reads ? percent(memory / reads) : "–"],
    ["95 % within", slow === null ? "–" : seconds(slow)],
    ["Loop, at worst", lag === undefined ? "–" : seconds(lag)],
    ["Cold starts", whole(sum("instances_total"))],
  ]);
}

/** cron -> when it ran last, how long that took, how often it failed. */
export function crons(samples, where) {
  const ran = largest(samples, METRIC("cron_last_run_timestamp_seconds"), "cron", where);
  const took = largest(samples, METRIC("cron_duration_seconds"), "cron", where);
  const failed = increase(null, samples, METRIC("cron_failures_total"), "cron", where);
  return [...ran].map(([name, at_s]) => [
    name,
    new Date(at_s * 1000).toISOString().slice(0, 16).replace("T", " "),
    took.has(name) ? seconds(took.get(name)) : "–",
    whole(failed.get(name) ?? 0),
  ]);
}
