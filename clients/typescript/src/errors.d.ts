/** A problem document (RFC 9457), with the member that OpenAI's clients read. Numbers stand in further members. */
export interface Problem {
  status: number;
  type?: string;
  title?: string;
  detail?: string;
  error?: { message: string; type?: string; param?: string | null; code?: string | null };
  request_id?: string;
  needed_tokens?: number;
  [member: string]: unknown;
}

/** All that this package throws, but for TypeErrors about what a program passes. */
export class WarmthreadError extends Error {}

/** No answer came; whether the request was done is unknown. */
export class ConnectionError extends WarmthreadError {}

/** The time given with the request was over; whether the request was done is unknown. */
export class DeadlineError extends WarmthreadError {}

/** The service answered with a problem. */
export class ProblemError extends WarmthreadError {
  readonly problem: Problem;
  readonly status: number;
  /** A name for programs, `duplicate_item` for instance. */
  readonly code: string | null;
  /** The place of what is wrong, `items[3].content[0].text` for instance. */
  readonly param: string | null;
  /** What the service's log calls the request. */
  readonly requestId: string | null;
  readonly retryAfterS: number | null;
  /** False where trying again cannot help: a budget that is spent. */
  readonly shouldRetry: boolean;
  /** True where a turn's items are stored, and only its context could not be had: do not append them again. */
  readonly isStored?: true;
}

/** 422: what must be kept does not fit the budget. */
export class ContextDoesNotFitError extends ProblemError {
  /** The budget that would do. */
  readonly neededTokens: number | undefined;
}

/** 429: the rate, or the budget, is used up. */
export class RateLimitError extends ProblemError {}

/** 503: the store was away, or no time was left. */
export class UnavailableError extends ProblemError {}

export function problemError(problem: Problem, headers?: Headers): ProblemError;
