// Levels, training and data.
import { Lines, Pair } from "./charts.jsx";
import { asObjects, homeOf, useShard } from "./data.js";
import { Formula, Mixed } from "./maths.jsx";
import { CAPTIONS, Table, useCells } from "./tables.jsx";
import { number, spaced } from "./words.js";

const SIGNS = { right: "r", wrong: "w" };

/** One question at every level, by one student. */
function Example({ study, question }) {
  const { shard, fault } = useShard(`texts/${homeOf(question)}`);
  if (fault) return <p class="fault" role="alert">{fault}</p>;
  if (!shard) return null;
  const student = study.columns.flatMap((column, at) => (column.role === "student" && column.benchmark === "competition" ? [{ ...column, at }] : []));
  const own = student.filter((column) => column.run === student[0].run);
  const shown = study.settings.levels.map((level) => {
    const column = own.find((one) => one.level === level && shard.answers?.[question.id]?.[String(one.at)]);
    const packed = column && shard.answers[question.id][String(column.at)];
    const told = (name) => shard.texts[packed[study.answer_fields.indexOf(name)]];
    return packed ? { level, text: told("text"), verdict: told("verdict") } : null;
  }).filter(Boolean);
  if (shown.length === 0) return null;
  const problem = shard.problems[question.id];
  return (
    <div class="example">
      <h3>One question at each length, by seed {own[0].seed}: <a href={`#problem/${question.id}`}>{question.id}</a></h3>
      <Mixed text={problem?.statement ?? question.text} />
      {problem?.answer ? <p class="fine">answer in the key: <Formula text={problem.answer} /></p> : null}
      <div class="six">{shown.map(({ level, text, verdict }) => <div key={level}><h4>{level}<span class={`sign ${SIGNS[verdict] ?? "u"}`}>{verdict}</span></h4><Mixed text={text} class="quoted" /></div>)}</div>
    </div>
  );
}

export function Levels({ study }) {
  const { cells, missing } = useCells();
  const table = study.tables.levels;
  if (!table) return <p class="none">This study has no table of levels.</p>;
  const asked = study.questions.find((row) => row.benchmark === "competition" && Object.values(row.parts).includes("test"));
  const rows = asObjects(table);
  const whole = rows.filter((row) => row.section === "all" || row.section === undefined);
  const both = whole.length > 0 && whole[0].base_accuracy !== undefined;
  return (
    <section>
      <h2>Response lengths</h2>
      <p class="lead">Each level asks for a shorter answer.{both ? ` Accuracy of base and student on the questions reported on, in %, with ${100 - 100 * Number(study.settings.alpha)} % intervals.` : ""}</p>
      {both ? (
        <div class="six multiples">
          {whole.map((row) => (
            <figure key={row.level}>
              <figcaption><b>{row.level}</b> {number(row.student_words, 1)} words, gain {number(row.gain)} points</figcaption>
              <Pair title={`${row.level}: base ${number(row.base_accuracy)} %, student ${number(row.student_accuracy)} %`} rows={[
                { name: "base", value: row.base_accuracy, low: row.base_low, high: row.base_high },
                { name: "student", value: row.student_accuracy, low: row.student_low, high: row.student_high },
              ]} />
            </figure>
          ))}
        </div>
      ) : null}
      {asked ? <Example study={study} question={asked} /> : null}
      {missing}
      <Table study={study} table={table} name="levels" cells={cells.levels} />
    </section>
  );
}

export function Training({ study }) {
  const { cells, missing } = useCells();
  if (study.curves.length === 0) return <p class="none">Nothing was trained in this study.</p>;
  return (
    <section>
      <h2>Training</h2>
      {study.stops.map(({ fold, variant, stops }) => {
        const mine = study.curves.filter((curve) => curve.fold === fold && curve.variant === variant);
        const places = new Map();
        for (const [name, chosen] of Object.entries(stops)) {
          for (const at of chosen.iteration !== undefined ? [chosen.iteration] : Object.values(chosen)) {
            places.set(at, new Set([...(places.get(at) ?? []), name]));
          }
        }
        const marks = [...places].sort((a, b) => a[0] - b[0]).map(([x, names]) => ({ x, name: [...names].map(spaced).join(", ") }));
        const pilot = stops.pilot?.seed;
        return (
          <div key={`${fold} ${variant}`}>
            <h3>fold {fold}, {variant === "prompt" ? "one adapter for all levels" : `adapter of ${variant}`}</h3>
            <p class="lead">Validation loss of each seed{pilot ? `, dashed: the pilot, seed ${pilot}` : ""}. Vertical lines: the checkpoints that the ways to stop choose, as the first table below names them.</p>
            <Lines title={`Validation loss of ${mine.length} seeds`} xName="iteration" yName="loss, nats per token" marks={marks}
              series={mine.map((curve) => ({ name: `seed ${curve.seed}`, points: curve.points, class: curve.seed === pilot ? "line pilot" : "line" }))} />
          </div>
        );
      })}
      {missing}
      {study.tables.stops ? <Table study={study} table={study.tables.stops} name="stops" cells={cells.stops} /> : null}
      {study.tables.seeds ? <Table study={study} table={study.tables.seeds} name="seeds" cells={cells.seeds} /> : null}
    </section>
  );
}

export function Data({ study }) {
  const { cells, missing } = useCells();
  const elsewhere = ["levels", "stops", "seeds"]; // under Levels and Training
  const shown = [...new Set([...Object.keys(CAPTIONS), ...Object.keys(study.tables)])]
    .filter((name) => name in study.tables && !elsewhere.includes(name));
  return (
    <section>
      <h2>Data and graders</h2>
      <p class="lead">Every table of the study, with numbers to two digits; all digits are in <code>results/{study.name}/tables</code>. A number leads to the answers that it is computed from.</p>
      {missing}
      {shown.map((name) => <Table key={name} study={study} table={study.tables[name]} name={name} cells={cells[name]} />)}
      {study.duplicates.map((table) => (
        <Table key={table.fold + table.variant} study={study} name={`duplicates-${table.fold}-${table.variant}`} table={table} caption={`Duplicates across the parts of fold ${table.fold}: both texts, and which was removed`} />
      ))}
    </section>
  );
}
