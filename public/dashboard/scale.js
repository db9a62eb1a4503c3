/**
 * The slider of budgets: 0 to 1000 along the logarithm, since what matters of a budget is how many times another it is.
 */

const STEPS = 1000;

/** The budget at *place*, to three digits; the ends are exact. @param {number} place @param {number} low @param {number} high */
export function budgetAt(place, low, high) {
  if (place <= 0) return low;
  if (place >= STEPS) return high;
  return Math.min(high, Math.max(low, Number((low * (high / low) ** (place / STEPS)).toPrecision(3))));
}

/** The place of *budget*. @param {number} budget @param {number} low @param {number} high */
export function placeOf(budget, low, high) {
  if (budget <= low) return 0;
  if (budget >= high) return STEPS;
  return Math.round((STEPS * Math.log(budget / low)) / Math.log(high / low));
}
