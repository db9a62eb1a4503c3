// What npm's @vercel/sdk says of a rolling release: it drives one on the server of argv[2], whose answers its schemas
// have to take, and its schemas read the bodies of argv[3], which our own client sent.
import { VercelCore } from "@vercel/sdk/core.js";
import { projectsRequestPromote } from "@vercel/sdk/funcs/projectsRequestPromote.js";
import { rollingReleaseApproveRollingReleaseStage } from "@vercel/sdk/funcs/rollingReleaseApproveRollingReleaseStage.js";
import { rollingReleaseCompleteRollingRelease } from "@vercel/sdk/funcs/rollingReleaseCompleteRollingRelease.js";
import { rollingReleaseGetRollingRelease } from "@vercel/sdk/funcs/rollingReleaseGetRollingRelease.js";
import { rollingReleaseGetRollingReleaseConfig } from "@vercel/sdk/funcs/rollingReleaseGetRollingReleaseConfig.js";
import { rollingReleaseStartRollingRelease } from "@vercel/sdk/funcs/rollingReleaseStartRollingRelease.js";
import { projectsRequestRollback } from "@vercel/sdk/funcs/projectsRequestRollback.js";
import { ApproveRollingReleaseStageRequestBody$outboundSchema } from "@vercel/sdk/models/approverollingreleasestageop.js";
import { CompleteRollingReleaseRequestBody$outboundSchema } from "@vercel/sdk/models/completerollingreleaseop.js";
import { StartRollingReleaseRequestBody$outboundSchema } from "@vercel/sdk/models/startrollingreleaseop.js";

const [, , serverURL, sent, token, project, team, canary, stable] = process.argv;
const said = { states: [], refused: [], bodies: {} };
const vercel = new VercelCore({ bearerToken: token, serverURL });
const of = { idOrName: project, teamId: team };

function need(result, what) {
  if (!result.ok) throw new Error(`${what}: ${result.error}`);
  return result.value;
}

async function state(what) {
  const { rollingRelease } = need(await rollingReleaseGetRollingRelease(vercel, of), "status");
  said.states.push([what, rollingRelease?.state ?? null, rollingRelease?.activeStage?.targetPercentage ?? null]);
}

await state("before");
const body = { canaryDeploymentId: canary };
need(await rollingReleaseGetRollingReleaseConfig(vercel, of), "config");
need(await rollingReleaseStartRollingRelease(vercel, { ...of, requestBody: body }), "start");
await state("started");
const next = { ...of, requestBody: { nextStageIndex: 1, canaryDeploymentId: canary } };
need(await rollingReleaseApproveRollingReleaseStage(vercel, next), "approve");
await state("approved");
const again = await rollingReleaseApproveRollingReleaseStage(vercel, next);
said.refused.push(again.ok ? "nothing" : String(again.error?.statusCode ?? again.error));
need(await projectsRequestRollback(vercel, { projectId: project, deploymentId: stable, teamId: team }), "rollback");
await state("rolled back");
need(await rollingReleaseStartRollingRelease(vercel, { ...of, requestBody: body }), "start again");
need(await rollingReleaseCompleteRollingRelease(vercel, { ...of, requestBody: body }), "complete");
await state("completed");
need(await projectsRequestPromote(vercel, { projectId: project, deploymentId: stable, teamId: team }), "promote");
await state("promoted");

const schemas = {
  start: StartRollingReleaseRequestBody$outboundSchema,
  approve: ApproveRollingReleaseStageRequestBody$outboundSchema,
  complete: CompleteRollingReleaseRequestBody$outboundSchema,
};
for (const [name, sentBody] of Object.entries(JSON.parse(sent))) {
  const read = schemas[name].strict().safeParse(sentBody);
  said.bodies[name] = read.success ? "read" : JSON.stringify(read.error.issues);
}
console.log(JSON.stringify(said));
