// Rules and jobs of the run, grouped by stage; a rule opens to what its jobs read and wrote.
import { useState } from "preact/hooks";
import { Dag } from "./dag.jsx";
import { short } from "./words.js";

export function Workflow({ study, run }) {
  const [open, setOpen] = useState(null);
  const [search, setSearch] = useState("");
  const rules = new Map();
  for (const job of run.jobs) {
    if (!rules.has(job.rule)) rules.set(job.rule, []);
    rules.get(job.rule).push(job);
  }
  const longest = Math.max(...[...rules.values()].map((jobs) => jobs.reduce((sum, job) => sum + job.seconds, 0)));
  const words = search.toLowerCase();
  const shown = [...rules].filter(([rule, jobs]) => !words || rule.includes(words) || jobs.some((job) => [...job.outputs, ...job.inputs].some((path) => path.toLowerCase().includes(words))));
  return (
    <section class="workflow">
      <h2>Workflow</h2>
      <p class="lead">What each rule reads comes from the rules above it. Choose one to see what it rests on and what rests on it, and below its jobs with their files, code and records.</p>
      {run.jobs.length ? <Dag jobs={run.jobs} open={open} setOpen={setOpen} /> : null}
      <div class="filters"><label class="choice search"><span>search</span><input type="search" value={search} placeholder="a rule or a file" onInput={(event) => setSearch(event.currentTarget.value)} /></label></div>
      <ul class="rules">
        {shown.map(([rule, jobs]) => {
          const seconds = jobs.reduce((sum, job) => sum + job.seconds, 0);
          return (
            <li key={rule}>
              <button type="button" aria-expanded={open === rule} onClick={() => setOpen(open === rule ? null : rule)}>
                <span class="rule-name">{rule}</span>
                <span class="fine">{jobs.length} {jobs.length === 1 ? "job" : "jobs"}</span>
                <span class="load"><i style={{ width: `${(100 * seconds) / longest}%` }} /></span>
                <span class="seconds">{seconds.toFixed(1)} s</span>
              </button>
              {open === rule ? jobs.map((job) => (
                <details key={job.record} open={jobs.length === 1}>
                  <summary>{job.job} <span class="fine">{job.seconds.toFixed(1)} s · {(job.bytes / 1e6).toFixed(2)} MB · {job.inputs.length} in, {job.outputs.length} out</span></summary>
                  <dl class="columns">
                    <div><dt>record</dt><dd><code>{job.record}</code></dd></div>
                    <div><dt>code</dt><dd><code title={job.code}>{short(job.code)}</code></dd></div>
                    <div><dt>reads</dt><dd>{job.inputs.map((path) => <div key={path}><code>{path}</code></div>)}</dd></div>
                    <div><dt>writes</dt><dd>{job.outputs.map((path) => <div key={path}><code>{path}</code></div>)}</dd></div>
                    <div><dt>params</dt><dd><code class="wrap">{JSON.stringify(job.params)}</code></dd></div>
                  </dl>
                </details>
              )) : null}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
