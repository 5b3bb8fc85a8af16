// Levels, training, data and the study's tables.
import { useEffect, useState } from "preact/hooks";
import { Lines, Pair } from "./charts.jsx";
import { asObjects, homeOf, load } from "./data.js";
import { Mixed } from "./maths.jsx";
import { number, pText, spaced } from "./words.js";

/** What the cells of the tables rest on: {table: {row: {column: entry}}}, once it is loaded. */
function useCells() {
  const [cells, setCells] = useState({});
  useEffect(() => { load("cells").then((found) => setCells(found.tables), () => {}); }, []);
  return cells;
}

/** A table of the study as it is in its CSV, numbers to two digits; cells lead to what they rest on. */
export function Table({ table, name, caption, cells }) {
  const [whole, setWhole] = useState(false);
  const filled = table.columns.map((column, place) => [column, place]).filter(([, place]) => table.rows.some((row) => row[place] !== ""));
  const isNumber = (place) => table.rows.every((row) => row[place] === "" || /^-?\d+(\.\d+)?(e-?\d+)?$/.test(row[place]));
  const isDecimal = (text) => /^-?\d*\.\d+(e-?\d+)?$/.test(text);
  // A whole number among decimals is written like them.
  const decimals = new Set(filled.map(([, place]) => place).filter((place) => isNumber(place) && table.rows.some((row) => isDecimal(row[place]))));
  const cell = (column, text, place) => {
    if (text === "") return "";
    if (/^p$|_p$|p_holm/.test(column)) return pText(text);
    return decimals.has(place) || isDecimal(text) ? number(text) : text;
  };
  const rows = whole ? table.rows : table.rows.slice(0, 60);
  return (
    <div class="table-box" id={`table-${name}`}>
      <div class="scroll" tabIndex={0} role="region" aria-label={caption ?? name}>
        <table class="plain">
          <caption>{caption ?? spaced(name)}</caption>
          <thead><tr>{filled.map(([column, place]) => <th key={column} scope="col" class={isNumber(place) ? "number" : ""}>{spaced(column)}</th>)}</tr></thead>
          <tbody>
            {rows.map((row, at) => (
              <tr key={at}>{filled.map(([column, place]) => {
                const leads = cells?.[table.names?.[at]]?.[column] !== undefined && row[place] !== "";
                const text = cell(column, row[place], place);
                return <td key={column} class={isNumber(place) ? "number" : ""} dir="auto">{leads ? <a href={`#table/${name}/${column}/${at + 1}`}>{text}</a> : text}</td>;
              })}</tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length < table.rows.length ? <button type="button" onClick={() => setWhole(true)}>show all {table.rows.length} rows</button> : null}
    </div>
  );
}

function Example({ study }) {
  // One question at every level, by one student: the first test question that has them all.
  const levels = study.settings.levels;
  const place = study.questions.findIndex((row) => row.benchmark === "competition" && Object.values(row.parts).includes("test"));
  const [shard, setShard] = useState(null);
  useEffect(() => { if (place >= 0) load(`texts/${homeOf(study.questions[place])}`).then(setShard, () => {}); }, [place]);
  if (place < 0 || !shard) return null;
  const question = study.questions[place];
  const student = study.columns.flatMap((column, at) => (column.role === "student" && column.benchmark === "competition" ? [{ ...column, at }] : []));
  const own = student.filter((column) => column.run === student[0].run);
  const field = study.answer_fields.indexOf("text");
  const shown = levels.map((level) => {
    const column = own.find((one) => one.level === level && shard.answers?.[question.id]?.[String(one.at)]);
    return column ? [level, shard.texts[shard.answers[question.id][String(column.at)][field]]] : null;
  }).filter(Boolean);
  return (
    <div class="example">
      <h3>One question at each length: {question.id}</h3>
      <Mixed text={shard.problems[question.id]?.statement ?? question.text} />
      <div class="six">{shown.map(([level, text]) => <div key={level}><h4>{level}</h4><Mixed text={text} class="quoted" /></div>)}</div>
    </div>
  );
}

export function Levels({ study }) {
  const cells = useCells();
  const table = study.tables.levels;
  if (!table) return <p class="none">This study has no table of levels.</p>;
  const rows = asObjects(table);
  const whole = rows.filter((row) => row.section === "all" || row.section === undefined);
  const both = whole.length > 0 && whole[0].base_accuracy !== undefined;
  return (
    <section>
      <h2>Response lengths</h2>
      <p class="lead">Each level asks for a shorter answer. Accuracy of base and student on the questions reported on, with intervals, in per cent.</p>
      {both ? (
        <div class="six multiples">
          {whole.map((row) => (
            <figure key={row.level}>
              <figcaption><b>{row.level}</b> {number(row.student_words, 1)} words, gain {number(row.gain)} points</figcaption>
              <Pair title={`${row.level}: base ${number(row.base_accuracy)} per cent, student ${number(row.student_accuracy)} per cent`} rows={[
                { name: "base", value: row.base_accuracy, low: row.base_low, high: row.base_high },
                { name: "student", value: row.student_accuracy, low: row.student_low, high: row.student_high },
              ]} />
            </figure>
          ))}
        </div>
      ) : null}
      <Example study={study} />
      <Table table={table} name="levels" caption="Words and accuracy by level and section" cells={cells.levels} />
    </section>
  );
}

export function Training({ study }) {
  const cells = useCells();
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
            <p class="lead">Validation loss of each seed{pilot ? `, dashed: the pilot, seed ${pilot}` : ""}. Vertical lines: the checkpoints that the ways to stop choose.</p>
            <Lines title={`Validation loss of ${mine.length} seeds`} xName="iteration" yName="loss, nats per token" marks={marks}
              series={mine.map((curve) => ({ name: `seed ${curve.seed}`, points: curve.points, class: curve.seed === pilot ? "line pilot" : "line" }))} />
          </div>
        );
      })}
      {study.tables.stops ? <Table table={study.tables.stops} name="stops" caption="Gain under each way to stop" cells={cells.stops} /> : null}
      {study.tables.seeds ? <Table table={study.tables.seeds} name="seeds" caption="Gain of each seed" cells={cells.seeds} /> : null}
    </section>
  );
}

export function Data({ study }) {
  const cells = useCells();
  const captions = {
    splits: "Problems and rows by fold, part, year and section", leakage: "Trained on, validated on and held out",
    agreement: "Agreement of the graders", disagreements: "Answers to look at", graders: "Claims under other readings of the verdicts",
    forensics: "Published figures against each other", levels: "Words and accuracy by level",
  };
  const shown = Object.keys(study.tables).filter((name) => !["levels", "stops", "seeds"].includes(name));
  return (
    <section>
      <h2>Data and graders</h2>
      <p class="lead">Every table of the study; the same bytes are in <code>results/{study.name}/tables</code>. A number leads to the answers that it is computed from.</p>
      {shown.map((name) => <Table key={name} table={study.tables[name]} name={name} caption={captions[name]} cells={cells[name]} />)}
      {study.duplicates.map((table) => (
        <Table key={table.fold + table.variant} name={`duplicates-${table.fold}-${table.variant}`} table={table} caption={`Duplicates across the parts of fold ${table.fold}: both texts, and which was removed`} />
      ))}
    </section>
  );
}
