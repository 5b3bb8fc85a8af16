// The study's data: classic scripts beside the page, since file:// allows neither fetch nor modules.
import { useEffect, useState } from "preact/hooks";

const kept = new Map();

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

function request(name) {
  const there = window.shards[name];
  if (typeof there === "string") {
    delete window.shards[name];
    return Promise.resolve(there);
  }
  return new Promise((resolve, reject) => {
    window.shards[name] = resolve;
    const script = document.createElement("script");
    script.src = `page/${name}.js`;
    script.onload = () => script.remove();
    script.onerror = () => reject(new Error(`page/${name}.js is missing beside this page`));
    document.head.append(script);
  });
}

/** Return a shard's content, loaded once. */
export function load(name) {
  if (!kept.has(name)) {
    const found = request(name).then(unpack);
    found.catch(() => kept.delete(name));
    kept.set(name, found);
  }
  return kept.get(name);
}

/**
 * Shards for a component: `{shards}` once all are loaded, `{fault}` where one is missing, `{}` before.
 * Nothing of shards that were asked for before is returned under the names of these.
 */
export function useShards(names) {
  const key = names.join(" ");
  const [loaded, setLoaded] = useState({});
  useEffect(() => {
    let left = false;
    const keep = (found) => { if (!left) setLoaded({ key, ...found }); };
    Promise.all(names.map(load)).then((shards) => keep({ shards }), (error) => keep({ fault: error.message }));
    return () => { left = true; };
  }, [key]);
  return loaded.key === key ? loaded : {};
}

/** One shard for a component, as `{shard}` or `{fault}`. */
export function useShard(name) {
  const { shards, fault } = useShards([name]);
  return { shard: shards?.[0], fault };
}

/** Whether the script of a shard was in the page from the start. */
export const isThere = (name) => typeof window.shards[name] === "string";

/** The text shard of a question: its year, or its benchmark. */
export const homeOf = (question) =>
  question.benchmark === "competition" ? String(question.year) : question.benchmark;

/** The verdict shard of a column: its fold, or `common` for base and teacher. */
export const shardOf = (column) => (column.role === "student" ? column.run.split("/")[0] : "common");

/** The rows of a table as objects. */
export const asObjects = (table) =>
  table.rows.map((row) => Object.fromEntries(table.columns.map((name, place) => [name, row[place]])));
