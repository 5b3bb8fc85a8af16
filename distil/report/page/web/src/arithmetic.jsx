// How a claim's number follows from its rows, and what it would be if some of them were others.
import { canChange, compute, isKnown } from "./formulas.js";
import { isWhole, number, pText } from "./words.js";

/** A number as it is printed, with all its digits for whoever compares it with the table. */
function Value({ name, value, made, unit }) {
  const exact = Number((made.scale * value).toPrecision(10));
  const digits = isWhole(unit) ? 0 : made.scale === 100 ? 2 : 4;
  return <output data-test={name} data-value={exact} title={String(exact)}>{number(made.scale * value, digits)}</output>;
}

const percent = (value, digits = 2) => number(100 * value, digits);

function Rows({ caption, head, rows }) {
  return (
    <div class="scroll arithmetic-rows" tabIndex={0} role="region" aria-label={caption}>
      <table class="plain">
        <caption>{caption}</caption>
        <thead><tr>{head.map((name, place) => <th key={name} scope="col" class={place ? "number" : ""}>{name}</th>)}</tr></thead>
        <tbody>{rows.map((row) => <tr key={row[0]}>{row.map((cell, place) => (place ? <td key={head[place]} class="number">{cell}</td> : <th key={head[place]} scope="row">{cell}</th>))}</tr>)}</tbody>
      </table>
    </div>
  );
}

function Pairs({ made }) {
  const { both, gained, lost, neither } = made.counts;
  const [one, two] = made.names;
  if (made.drawn) return <p class="formula">Mean over questions of {one} minus {two}, each the mean over the answers that were drawn: {percent(made.estimate)} points.</p>;
  return (
    <>
      <table class="counts">
        <caption>Answers, pair by pair</caption>
        <tbody>
          <tr><td class="corner" /><th scope="col">{two} right</th><th scope="col">{two} wrong</th></tr>
          <tr><th scope="row">{one} right</th><td>{both}</td><td class="gained">{gained}</td></tr>
          <tr><th scope="row">{one} wrong</th><td class="lost">{lost}</td><td>{neither}</td></tr>
        </tbody>
      </table>
      <p class="formula">({gained} − {lost}) / {both + gained + lost + neither} = {percent(made.estimate)} points.</p>
    </>
  );
}

const levelCells = (row) => [row.level, number(row.words, 2), `${row.right} / ${row.asked}`, percent(row.accuracy)];
const LEVEL_HEAD = ["level", "mean words", "right", "accuracy, %"];

/** The steps from the rows to the number, by the kind of its formula. */
function Steps({ made }) {
  switch (made.kind) {
    case "share":
      return (
        <>
          <p>{made.counts.right.toLocaleString("en")} of {made.counts.asked.toLocaleString("en")} answers are right.</p>
          <p class="formula">{made.counts.right} / {made.counts.asked} = {percent(made.estimate)} %.</p>
        </>
      );
    case "difference": return <Pairs made={made} />;
    case "slope":
      return (
        <>
          <Rows caption="Answers by level" head={[...LEVEL_HEAD, "x = log2 words, centred"]} rows={made.levels.map((row) => [...levelCells(row), number(row.score, 4)])} />
          <p class="formula">Σ accuracy × x / Σ x² = {percent(made.estimate)} points per doubling of the words.</p>
        </>
      );
    case "levels":
      return (
        <>
          <Rows caption="Answers by level" head={LEVEL_HEAD} rows={made.levels.map(levelCells)} />
          <p class="formula">{made.levels.length} levels have words and accuracy.</p>
        </>
      );
    case "sections":
      return (
        <>
          <Rows caption={`Points lost from ${made.names[0]} to ${made.names[1]} by section`} head={["section", "questions", `${made.names[0]}, %`, `${made.names[1]}, %`, "lost", `${made.speed} minus it`]}
            rows={made.rows.map((row) => [row.section, row.questions, percent(row.longest), percent(row.shortest), percent(row.drop), row.contrast ? `${percent(row.contrast.estimate)} (${percent(row.contrast.low)} to ${percent(row.contrast.high)})` : ""])} />
          <p class="formula">The smallest of the differences counts: {made.speed} minus {made.binding} = {percent(made.estimate)} points.</p>
        </>
      );
    case "overlap":
      return (
        <>
          <Rows caption="Questions by part" head={["fold", "train", "validation", "test"]} rows={made.parts} />
          <p class="formula">{made.counts.right} of {made.counts.asked} questions reported on share a duplicate or template with one that is trained or validated on: {percent(made.estimate)} %.</p>
        </>
      );
    default:
      return (
        <>
          <Rows caption={`Validation losses from the minimum to iteration ${made.last}`} head={["run", "minimum of the others' mean at", "loss there", `loss at ${made.last}`, "rise"]}
            rows={made.rows.map((row) => [`seed ${row.run}${row.pilot ? ", the pilot" : ""}`, row.turn, number(row.there, 4), number(row.end, 4), number(row.rise, 4)])} />
          <p class="formula">The median of the {made.rows.length} rises is {number(made.estimate, 4)}; their range is its interval.</p>
        </>
      );
  }
}

/** How sure the number is: interval, p, and what they were made with. */
function Interval({ made, unit }) {
  if (made.kind === "levels") return null;
  const groups = `${made.n} questions in ${made.clusters} groups of the same template or duplicate`;
  const how = {
    share: () => `Wilson interval at ${number(made.effective, 1)} effective answers (${groups}): `,
    overlap: () => "Wilson interval: ",
    losses: () => `Range of ${made.n} runs: `,
  }[made.kind] ?? (() => `${made.test}: ${groups}, t with ${number(made.df, 1)} degrees of freedom, standard error ${number(100 * made.se, 3)}: `);
  return (
    <p>
      {how()}
      <Value name="low" value={made.low} made={made} unit={unit} /> to <Value name="high" value={made.high} made={made} unit={unit} />
      {made.p === null || made.p === undefined ? "" : <>, p of no {made.kind === "losses" ? "rise" : "difference"} {Number(made.p) < 0.001 ? "< 0.001" : `= ${pText(made.p)}`}</>}.
    </p>
  );
}

export function Arithmetic({ study, grid, state, claim, change }) {
  const untouched = { ...state, toggled: new Map(), struck: new Set() };
  const before = isKnown(claim.formula) ? compute(study, grid, claim, untouched) : null;
  if (!before) {
    return claim.here === "" ? null : (
      <p class="arithmetic-none">
        The number is made by the formula <code>{claim.formula}</code> from {claim.rows ?? "the"} rows
        {claim.filter ? <> (<code>{claim.filter}</code>)</> : null}; this page does not compute it again.
      </p>
    );
  }
  const changes = state.toggled.size + state.struck.size;
  const now = changes ? compute(study, grid, claim, state) : before;
  const told = now ?? before;
  return (
    <details class="arithmetic" open={changes > 0 || undefined}>
      <summary>
        How <Value name="estimate" value={before.estimate} made={before} unit={claim.unit} /> follows from the {before.kind === "losses" ? "losses" : "answers"}
        {changes && now ? (
          <span class="what-if" role="status">
            with {changes} {changes === 1 ? "change" : "changes"}: <Value name="changed" value={now.estimate} made={now} unit={claim.unit} />
            <span>(<Value name="changed-low" value={now.low} made={now} unit={claim.unit} /> to <Value name="changed-high" value={now.high} made={now} unit={claim.unit} />)</span>
            <button type="button" onClick={(event) => { event.preventDefault(); change({ toggled: new Map(), struck: new Set() }); }}>put back</button>
          </span>
        ) : null}
        {changes && !now ? <span class="what-if" role="status">with {changes} changes too few answers are left</span> : null}
      </summary>
      <Steps made={told} />
      <Interval made={told} unit={claim.unit} />
      {canChange(claim.formula) ? <p class="hint">What if? Open an answer and toggle its verdict, or strike the question.</p> : null}
    </details>
  );
}
