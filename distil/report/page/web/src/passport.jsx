// What this study is, and what is known of the run behind it.
import { time } from "./words.js";

const KINDS = {
  rehearsal: ["Rehearsal", "the rules of a study on stand-ins for its teacher or student: no number here is a result, and none is to be compared with published figures"],
  sample: ["Sample study", "exams, teacher and student are make-believe: every stage is real, no number says anything about a real model"],
  released: ["Re-analysis of a public release", "counts of the release, as far as its files reach; nothing was trained or answered here"],
  papers: ["Study of exam papers", "read from the PDFs that its manifest names"],
  paper: ["Full study", "compared with the published figures"],
};

function Fact({ name, children, state }) {
  return <li class={`fact ${state ?? ""}`}><span class="name">{name}</span> <span class="told">{children}</span></li>;
}

export function Passport({ study, run, claims }) {
  const kind = KINDS[study.kind === "papers" && claims.some((claim) => claim.published) ? "paper" : study.kind] ?? [study.kind, ""];
  const verified = run?.verified;
  return (
    <header class="passport">
      <h1>{study.title}</h1>
      <p class="kind-line"><span class={`kind ${study.kind}`}>{kind[0]}</span> <span class="kind-text">{kind[1]}</span></p>
      <ul class="facts-line">
        {run ? (
          <>
            <Fact name="verified" state={verified ? (verified.ok ? "good" : "bad") : "open"}>
              {verified ? (verified.ok ? `ok, ${verified.when}` : `${verified.faults} faults, ${verified.when}`) : <>not yet; run <code>distil verify</code></>}
            </Fact>
            {run.jobs ? <Fact name="jobs" state={run.fresh.jobs === run.fresh.all ? "good" : "bad"}>{run.fresh.jobs} of {run.fresh.all} fresh, {time(run.jobs.reduce((sum, job) => sum + job.seconds, 0))} of work</Fact> : null}
            {run.plan ? <Fact name="plan" state={run.plan.ok ? "good" : "bad"}>{run.plan.text}</Fact> : null}
            {run.anchor ? <Fact name="anchor"><code title={`digest of all records: ${run.anchor}; published elsewhere, it shows later that no file was replaced`}>{run.anchor.slice(0, 16)}…</code></Fact> : null}
            {run.machine ? <Fact name="machine">{run.machine}</Fact> : null}
          </>
        ) : (
          <Fact name="run" state="open">no account of the run beside this copy (page/run.js): the end of a run and <code>distil verify</code> write it</Fact>
        )}
      </ul>
      {study.not_run?.length ? (
        <details class="not-run">
          <summary>Not run: {study.not_run.length} {study.not_run.length === 1 ? "thing" : "things"} that a reader might expect</summary>
          <ul>{study.not_run.map((what) => <li key={what}>{what}</li>)}</ul>
        </details>
      ) : null}
    </header>
  );
}
