// One answer, from the exam page to the verdict.
import { useEffect, useRef, useState } from "preact/hooks";
import { homeOf, useShard } from "./data.js";
import { folded, judged, verdictOf } from "./grid.js";
import { Formula, Mixed } from "./maths.jsx";
import { short, SIGN_WORDS, spaced, time } from "./words.js";

const SCALE = 0.8; // pixels of the page for a pixel of a picture

function widthOf(png) {
  // The width in a PNG's header, bytes 16 to 19.
  const head = atob(png.slice(0, 32));
  return ((head.charCodeAt(16) << 24) | (head.charCodeAt(17) << 16) | (head.charCodeAt(18) << 8) | head.charCodeAt(19)) >>> 0;
}

export function Picture({ picture, what, name }) {
  if (!picture) return null;
  const label = what === "key" ? "printed in the key" : "printed in the paper";
  return (
    <figure class="picture">
      <figcaption>{label}, page {picture.page}</figcaption>
      <img src={`data:image/png;base64,${picture.png}`} width={Math.round(SCALE * widthOf(picture.png))}
        alt={`${what === "key" ? "The answer to" : "Problem"} ${name} as ${label}`} />
      <p class="place" title={`sha256 of the PDF: ${picture.pdf_sha256}`}>box {picture.box.map((edge) => Math.round(edge)).join(", ")} pt in PDF {short(picture.pdf_sha256)}</p>
    </figure>
  );
}

export function Copy({ text }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone(true);
      setTimeout(() => setDone(false), 1500);
    } catch {
      setDone(false);
    }
  };
  return (
    <span class="copy">
      <code>{text}</code>
      <button type="button" onClick={copy} aria-label={`copy: ${text}`}>{done ? "copied" : "copy"}</button>
    </span>
  );
}

function Part({ title, children, class: name }) {
  return (
    <section class={`part ${name ?? ""}`}>
      <h4>{title}</h4>
      {children}
    </section>
  );
}

/** An answer's fields by name. */
function unpack(study, shard, question, column) {
  const packed = shard.answers?.[question.id]?.[String(column)];
  if (!packed) return null;
  return Object.fromEntries(study.answer_fields.map((name, place) => {
    const value = packed[place];
    return [name, value === null || name === "words" || name === "tokens" ? value : shard.texts[value]];
  }));
}

function Related({ study, place, fold, go }) {
  const question = study.questions[place];
  const same = study.questions.flatMap((other, number) => (other.cluster === question.cluster && number !== place ? [number] : []));
  if (same.length === 0) return null;
  const trained = same.filter((number) => ["train", "validation"].includes(study.questions[number].parts[fold]));
  const pairs = study.duplicates.flatMap((table) => table.rows.map((row) => Object.fromEntries(table.columns.map((name, at) => [name, row[at]]))))
    .filter((row) => row.a === question.id || row.b === question.id);
  return (
    <Part title={`Same template or duplicate: ${same.length} others, ${trained.length} of them trained or validated on`}>
      {pairs.map((pair) => (
        <p key={`${pair.a} ${pair.b}`} class="pair">
          {pair.kind} of <b>{pair.a === question.id ? pair.b : pair.a}</b> (score {pair.score}): {pair.action} {pair.removed}
        </p>
      ))}
      <ul class="related">
        {trained.slice(0, 12).map((number) => (
          <li key={number}>
            <a href={`#problem/${study.questions[number].id}`} onClick={(event) => { event.preventDefault(); go(`problem/${study.questions[number].id}`); }}>{study.questions[number].id}</a>
            {" "}<span class="fine">{study.questions[number].parts[fold]}</span> {study.questions[number].text}
          </li>
        ))}
      </ul>
      {trained.length > 12 ? <p class="fine">and {trained.length - 12} more</p> : null}
    </Part>
  );
}

function Teacher({ solutions, traces }) {
  if (!solutions?.length && !traces?.length) return null;
  return (
    <Part title="The teacher's stored response and traces">
      {(solutions ?? []).map((row) => (
        <details key={row.id}>
          <summary>solution: {row.answer ?? "no answer"} <span class="fine">{row.served_model} · {row.status}</span></summary>
          {row.reasoning ? <Mixed text={row.reasoning} class="quoted" /> : null}
          <Mixed text={row.content} class="quoted" />
          <p class="fine">request {short(row.request_sha256)} · response {short(row.response_sha256)}</p>
        </details>
      ))}
      {(traces ?? []).map((row) => (
        <details key={row.id}>
          <summary>
            trace {row.level}, {row.words} words: {row.verified ? "verified" : "not verified"}
            <span class="fine"> grader {row.grader} · verifier {row.verifier}</span>
          </summary>
          <Mixed text={row.text} class="quoted" />
          <p class="fine">{row.reason ? `${row.reason} · ` : ""}response {short(row.response_sha256)} · verifier's {short(row.verifier_response_sha256)}</p>
        </details>
      ))}
    </Part>
  );
}

export function Problem({ study, question, shard }) {
  const row = shard.problems[question.id];
  const pictures = shard.pictures[question.id] ?? {};
  const corrections = shard.corrections[question.id] ?? [];
  if (!row || row.statement === undefined) {
    return (
      <p class="stub">
        Statement and pictures are not part of this copy: they belong to whoever wrote the exam.
        {row?.pdf_sha256 ? <> The problem stands on page {row.page} of the PDF with sha256 <code>{row.pdf_sha256}</code>.</> : null}
      </p>
    );
  }
  return (
    <>
      <Picture picture={pictures.statement} what="statement" name={question.id} />
      <Part title={row.method === "transcription" ? "transcribed as" : "read as"}>
        <Mixed text={row.statement} />
        {row.options?.length ? (
          <ol class="options">
            {row.options.map((option) => <li key={option.label}><b>({option.label})</b> <Formula text={option.text} /></li>)}
          </ol>
        ) : null}
        {row.flags?.length ? <p class="flags">read with a doubt: {row.flags.map(spaced).join(", ")}</p> : null}
      </Part>
      <div class="key-line">
        <Picture picture={pictures.key} what="key" name={question.id} />
        <Part title="answer in the key"><p class="big"><Formula text={row.answer} /></p></Part>
      </div>
      {corrections.map((entry) => (
        <p key={entry.field} class="correction">
          {entry.field === "problem" ? "the problem was added" : `${entry.field} corrected or confirmed`} by {entry.who} on {entry.when}: {entry.why}.
          {entry.field === "problem" ? null : <> Before: <Formula text={typeof entry.was === "string" ? entry.was : JSON.stringify(entry.was)} /></>}
        </p>
      ))}
    </>
  );
}

function Chain({ study, question, column, answer, shard, run }) {
  const top = `results/${study.name}`;
  const row = shard.problems[question.id] ?? {};
  const home = homeOf(question);
  const steps = [
    row.pdf_sha256 && ["the exam paper", `page ${row.page}`, row.pdf_sha256],
    ["the problem", `${top}/${question.benchmark === "competition" ? "problems" : "benchmarks"}/${home}.jsonl#${question.id}`, null],
    answer && ["the answer", `${top}/predictions/${column.run}.parquet#${answer.id}`, answer.token_ids_sha256],
    answer?.adapter_sha256 && ["the adapter", `${top}/adapters/${column.run}/${String(column.iteration).padStart(5, "0")}.safetensors`, answer.adapter_sha256],
    answer?.prompt_sha256 && ["the prompt", "as asked", answer.prompt_sha256],
    answer && ["the grade", `${top}/grades/${column.run}.parquet#${answer.id}`, null],
    answer && ["in the table of answers", `${top}/grades/answers.parquet#${column.run}#${answer.id}`, null],
  ].filter(Boolean);
  const job = (path) => run?.jobs?.find((one) => one.outputs.includes(path.split("#")[0]));
  return (
    <Part title="Chain of files and jobs" class="chain">
      <ol>
        {steps.map(([name, path, hash]) => {
          const made = job(path);
          return (
            <li key={name}>
              <span class="step">{name}</span> <code>{path}</code>
              {hash ? <code class="hash" title={hash}>{hash}</code> : null}
              {made ? <span class="fine made">made by {made.job} in {time(made.seconds)}</span> : null}
            </li>
          );
        })}
      </ol>
    </Part>
  );
}

/** The samples of a run to one question, each with its verdict and card. */
function Samples({ grid, state, place, slug, address }) {
  const column = grid && folded(grid.columns).find((one) => one.samples.some((sample) => sample.slug === slug));
  if (!column || column.samples.length < 2) return null;
  const { asked, right } = judged(state, column, place);
  const base = address.slice(0, address.lastIndexOf("/"));
  return (
    <p class="samples" role="group" aria-label="samples of this run">
      <span class="fine">{right} of {asked.length} samples right:</span>
      {asked.map((one) => <a key={one.column.slug} class={`sign ${one.sign}`} href={`#${base}/${one.column.slug}`} aria-current={one.column.slug === slug ? "true" : undefined}>{column.samples.indexOf(one.column) + 1} {SIGN_WORDS[one.sign]}</a>)}
    </p>
  );
}

export function Card({ study, grid, state, question: place, slug, address, go, change, run, step }) {
  const question = study.questions[place];
  const column = grid?.columns.find((one) => one.slug === slug);
  const columnNumber = column?.cells.get(place);
  const { shard, fault } = useShard(`texts/${homeOf(question)}`);
  const head = useRef(null);
  // Its head is brought into view, also once the card has grown: "nearest" would show a long card's end.
  useEffect(() => {
    const { top } = head.current.getBoundingClientRect();
    if (top < 0 || top > innerHeight - 80) head.current.scrollIntoView({ block: "start" });
  }, [place, slug, !shard]);
  // Nothing is said of a verdict before its shard is there.
  const known = column && (columnNumber === undefined || state.verdicts[columnNumber] !== undefined);
  const sign = known ? verdictOf(state, column, place) : null;
  const answer = shard && columnNumber !== undefined ? unpack(study, shard, question, columnNumber) : null;
  const own = columnNumber === undefined ? null : study.columns[columnNumber];
  const fold = own?.role === "student" ? own.run.split("/")[0] : Object.keys(question.parts)[0];
  const key = `${columnNumber}:${place}`;
  const toggle = () => {
    const toggled = new Map(state.toggled);
    if (toggled.has(key)) toggled.delete(key);
    else toggled.set(key, sign === "r" ? "w" : "r");
    change({ ...state, toggled });
  };
  const strike = () => {
    const struck = new Set(state.struck);
    if (!struck.delete(place)) struck.add(place);
    change({ ...state, struck });
  };
  const explain = answer
    ? `distil --study ${study.name} explain results/${study.name}/grades/answers.parquet#${own.run}#${answer.id}`
    : `distil --study ${study.name} explain ${question.id}`;
  return (
    <article class="card" aria-labelledby="card-title" tabIndex={-1} ref={head}>
      <header>
        <h3 id="card-title"><span class="question">{question.id}</span>{column ? <span class="who"> · {slug.replace("seed-", "seed ").replace(/^teacher-/, "teacher, sample ").replace(".sample-", ", sample ")}</span> : null}
          {sign ? <span class={`sign ${sign === "." ? "none" : sign}`}>{SIGN_WORDS[sign]}</span> : null}
        </h3>
        <p class="fine">
          {question.year ? `${question.year} · ` : ""}{study.sections[question.section] ?? question.section ?? question.benchmark}
          {question.parts[fold] ? ` · ${question.parts[fold]} in fold ${fold}` : ""}
          {own ? ` · level ${own.level}` : ""}{own?.iteration ? ` · iteration ${own.iteration}` : ""}
        </p>
        {step ? <div class="step-buttons"><button type="button" onClick={() => step(-1)} aria-label="previous question">‹</button><button type="button" onClick={() => step(1)} aria-label="next question">›</button></div> : null}
      </header>
      <Samples grid={grid} state={state} place={place} slug={slug} address={address} />
      {fault ? <p class="fault" role="alert">{fault}</p> : null}
      {!shard && !fault ? <p class="waiting">Loading ...</p> : null}
      {shard ? (
        <>
          <Problem study={study} question={question} shard={shard} />
          {answer ? (
            <>
              <Part title={own.role === "teacher" ? "the teacher wrote" : "the model wrote"}>
                <Mixed text={answer.text} class="quoted response" />
                <p class="fine">{answer.words} words, {answer.tokens} tokens, finish: {answer.finish}</p>
              </Part>
              <Part title="verdict">
                <p class="verdict-line">
                  answer read <b class="extracted"><Formula text={answer.extracted} /></b>, graded <b data-test="verdict">{answer.verdict}</b>
                  {" "}by rule <span class="rule">{answer.rule}</span>{answer.reason ? <>: <span class="reason-text">{answer.reason}</span></> : null}.
                </p>
                <p class="fine">
                  strict reading: {answer.strict_verdict ?? "none"} · second grader: {answer.second_verdict ?? "none"}
                  {answer.judge_verdict ? ` · judge: ${answer.judge_verdict}` : ""}
                </p>
                {grid ? (
                  <p class="what-buttons">
                    <button type="button" onClick={toggle} aria-pressed={state.toggled.has(key)}>{state.toggled.has(key) ? "take the toggle back" : `what if it were ${sign === "r" ? "wrong" : "right"}?`}</button>
                    <button type="button" onClick={strike} aria-pressed={state.struck.has(place)}>{state.struck.has(place) ? "count this question again" : "strike this question"}</button>
                  </p>
                ) : null}
              </Part>
            </>
          ) : column ? <p class="none">This run was not asked this question.</p> : null}
          <Related study={study} place={place} fold={fold} go={go} />
          <Teacher solutions={shard.solutions[question.id]} traces={shard.traces[question.id]} />
          <Chain study={study} question={question} column={own} answer={answer} shard={shard} run={run} />
          <Part title="check it yourself">
            <p><Copy text={explain} /></p>
            <p class="fine">address of this card: <a href={`#${address}`}>#{address}</a></p>
          </Part>
        </>
      ) : null}
    </article>
  );
}
