// Stages, rules and jobs of the run: what each read and wrote, and which claims rest on it.
import { useMemo, useState } from "preact/hooks";
import { Dag, foldJobs, stateOf, toggled, totals } from "./dag.jsx";
import { claimsByJob } from "./resting.js";
import { short, size, time } from "./words.js";

function Files({ paths, job, choose, makers }) {
  const [whole, setWhole] = useState(false);
  const shown = whole ? paths : paths.slice(0, 12);
  return (
    <>
      {shown.map((path) => {
        const maker = makers.get(path);
        return (
          <div key={path}><code>{path}</code>
            {maker && maker !== job ? <> <button type="button" class="link fine" onClick={() => choose(maker)}>made by {maker.rule}</button></> : null}
          </div>
        );
      })}
      {shown.length < paths.length ? <button type="button" onClick={() => setWhole(true)}>all {paths.length} files</button> : null}
    </>
  );
}

function Claims({ keys }) {
  if (keys.length === 0) return <span class="fine">none</span>;
  return <span class="resting">{keys.map((key) => <a key={key} href={`#${key}`}>{key.replace("/", " ").replaceAll("_", " ")}</a>)}</span>;
}

/** The nodes that one reads from, or is read by. */
function Beside({ title, names, choose }) {
  if (names.length === 0) return null;
  return <p><span class="fine">{title}</span> <span class="resting">{names.map((name) => <button key={name} type="button" class="link" onClick={() => choose(name)}>{name}</button>)}</span></p>;
}

function Job({ job, keys, choose, makers, open }) {
  return (
    <details open={open}>
      <summary>{job.job} <span class="fine">{time(job.seconds)} · {size(job.bytes)} · reads {job.inputs.length} {job.inputs.length === 1 ? "file" : "files"}, writes {job.outputs.length}{job.state !== "fresh" ? ` · ${job.state}` : ""}</span></summary>
      <dl class="columns">
        <div><dt>claims on it</dt><dd><Claims keys={keys} /></dd></div>
        <div><dt>writes</dt><dd><Files paths={job.outputs} job={job} choose={choose} makers={makers} /></dd></div>
        <div><dt>reads</dt><dd><Files paths={job.inputs} job={job} choose={choose} makers={makers} /></dd></div>
        <div><dt>params</dt><dd><code class="wrap">{JSON.stringify(job.params)}</code></dd></div>
        <div><dt>code</dt><dd><code title={job.code}>{short(job.code)}</code> <span class="fine">fingerprint of the script and all it imports</span></dd></div>
        <div><dt>record</dt><dd><code>{job.record}</code></dd></div>
        {job.log ? <div><dt>log</dt><dd><code>{job.log}</code></dd></div> : null}
        <div><dt>started</dt><dd>{job.started.slice(0, 19).replace("T", " ")} UTC</dd></div>
      </dl>
    </details>
  );
}

export function Workflow({ study, run, claims }) {
  const { jobs } = run;
  const stages = [...new Set(jobs.map((job) => job.stage).filter(Boolean))];
  const [opened, setOpened] = useState(() => new Set());
  const [chosen, setChosen] = useState(null);
  const [search, setSearch] = useState("");
  const resting = useMemo(() => claimsByJob(study, claims, jobs), [jobs]);
  const makers = useMemo(() => new Map(jobs.flatMap((job) => job.outputs.map((path) => [path, job]))), [jobs]);
  const words = search.trim().toLowerCase();
  const has = (job) => !words || [job.job, job.stage, ...job.outputs, ...job.inputs].some((text) => text.toLowerCase().includes(words));
  const graph = useMemo(() => foldJobs(jobs, opened), [jobs, opened]);
  const { nodes, links } = graph;
  const node = nodes.find((one) => one.name === chosen);
  // A job is shown where its stage is open.
  const choose = (job) => { setOpened(new Set([...opened, job.stage])); setChosen(job.rule); setSearch(""); };
  const shown = nodes.filter((one) => one.jobs.some(has));
  const longest = Math.max(...nodes.map((one) => totals(one.jobs).seconds), 1e-9);
  const keysOf = (some) => claims.map((claim) => `${claim.id}/${claim.estimand}`).filter((key) => some.some((job) => resting.get(job.job).includes(key)));
  return (
    <section class="workflow">
      <h2>Workflow</h2>
      <p class="lead">
        What each stage reads comes from those above it. Choose one for its files, jobs and the claims that rest on it; unfold it into its rules. A line that a longer way implies is not drawn; what you choose lists all that it reads from.
        {" "}{jobs.length} jobs, {time(totals(jobs).seconds)} of work, {size(totals(jobs).bytes)} in {totals(jobs).files} files.
      </p>
      <div class="filters"><label class="choice search"><span>search</span><input type="search" value={search} placeholder="a rule, job or file" onInput={(event) => setSearch(event.currentTarget.value)} /></label></div>
      {jobs.length ? <Dag jobs={jobs} graph={graph} opened={opened} setOpened={(next) => { setOpened(next); setChosen(null); }} chosen={chosen} choose={setChosen} fits={(one) => one.jobs.some(has)} /> : null}
      <div class="workflow-parts">
        <ul class="rules" aria-label="stages and rules">
          {shown.map((one) => {
            const { seconds, bytes } = totals(one.jobs);
            return (
              <li key={one.name}>
                <button type="button" aria-expanded={chosen === one.name} onClick={() => setChosen(chosen === one.name ? null : one.name)}>
                  <span class="rule-name">{one.name}</span>
                  <span class="fine">{one.jobs.length} {one.jobs.length === 1 ? "job" : "jobs"}</span>
                  <span class="load"><i style={{ width: `${(100 * seconds) / longest}%` }} /></span>
                  <span class="seconds">{time(seconds)}</span>
                  <span class="seconds">{size(bytes)}</span>
                </button>
              </li>
            );
          })}
        </ul>
        {node ? (
          <section class="node-panel" aria-label={`about ${node.name}`}>
            <h3>{node.whole ? "stage " : ""}{node.name}</h3>
            <p class="fine">{node.jobs.length} {node.jobs.length === 1 ? "job" : "jobs"} · {time(totals(node.jobs).seconds)} · {size(totals(node.jobs).bytes)} in {totals(node.jobs).files} files · {stateOf(node.jobs)}</p>
            {node.stage && stages.includes(node.stage) ? <p class="what-buttons"><button type="button" onClick={() => { setOpened(toggled(opened, node.stage)); setChosen(node.whole ? null : node.stage); }}>{node.whole ? "unfold into its rules" : `fold into ${node.stage}`}</button></p> : null}
            <Beside title="Reads what these wrote:" names={links.filter(([, two]) => two === node.name).map(([one]) => one)} choose={setChosen} />
            <Beside title="Is read by:" names={links.filter(([one]) => one === node.name).map(([, two]) => two)} choose={setChosen} />
            <p><span class="fine">Claims that rest on it:</span> <Claims keys={keysOf(node.jobs)} /></p>
            {node.jobs.filter(has).toSorted((a, b) => a.job.localeCompare(b.job, "en", { numeric: true })).slice(0, 100).map((job) => <Job key={job.record} job={job} keys={resting.get(job.job)} choose={choose} makers={makers} open={node.jobs.length === 1} />)}
          </section>
        ) : null}
      </div>
    </section>
  );
}
