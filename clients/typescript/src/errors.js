/**
 * What goes wrong, as errors that carry the problem document of the service.
 *
 *     WarmthreadError            all of them
 *       ProblemError             a problem (RFC 9457) was answered: `status`, `code`, `param`, `requestId`, `problem`
 *         ContextDoesNotFitError   422, `neededTokens` says which budget would do
 *         RateLimitError           429, of the rate or of a budget
 *         UnavailableError         503: the store was away, or there was no time left
 *       ConnectionError          no answer came
 *       DeadlineError            the time given with the request was over
 */

export class WarmthreadError extends Error {
  name = "WarmthreadError";
}

export class ConnectionError extends WarmthreadError {
  name = "ConnectionError";
}

export class DeadlineError extends WarmthreadError {
  name = "DeadlineError";
}

export class ProblemError extends WarmthreadError {
  name = "ProblemError";

  /**
   * @param {import("./errors").Problem} problem
   * @param {Headers} [headers]
   */
  constructor(problem, headers) {
    super(problem.error?.message ?? problem.detail ?? problem.title ?? `The service answered ${problem.status}.`);
    this.problem = problem;
    this.status = problem.status;
    this.code = problem.error?.code ?? null;
    this.param = problem.error?.param ?? null;
    this.requestId = problem.request_id ?? null;
    const retryAfter = headers?.get("retry-after");
    this.retryAfterS = retryAfter ? Number(retryAfter) : null;
    this.shouldRetry = headers?.get("x-should-retry") !== "false";
  }
}

export class ContextDoesNotFitError extends ProblemError {
  name = "ContextDoesNotFitError";

  get neededTokens() {
    return this.problem.needed_tokens;
  }
}

export class RateLimitError extends ProblemError {
  name = "RateLimitError";
}

export class UnavailableError extends ProblemError {
  name = "UnavailableError";
}

/**
 * Return the error that *problem* is.
 *
 * @param {import("./errors").Problem} problem
 * @param {Headers} [headers]
 */
export function problemError(problem, headers) {
  if (problem.error?.code === "context_does_not_fit") return new ContextDoesNotFitError(problem, headers);
  if (problem.status === 429) return new RateLimitError(problem, headers);
  if (problem.status === 503) return new UnavailableError(problem, headers);
  return new ProblemError(problem, headers);
}
