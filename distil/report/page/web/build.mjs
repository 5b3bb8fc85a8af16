// Bundles src/ into one file with styles, fonts and code: make page-bundle
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

// What the page is made of, in the page, so that a test can tell whether it is current.
const sources = ["build.mjs", "package.json", "package-lock.json", ...readdirSync("src").map((name) => `src/${name}`)].sort();
const digest = createHash("sha256");
for (const name of sources) digest.update(`${name}\n`).update(readFileSync(name)).update("\n");

const result = await build({
  entryPoints: ["src/main.jsx"],
  bundle: true,
  minify: true,
  format: "iife",
  target: ["chrome100", "firefox113", "safari16.4"],
  jsx: "automatic",
  jsxImportSource: "preact",
  charset: "ascii", // whatever a browser takes the file's encoding to be
  legalComments: "none",
  loader: { ".woff2": "dataurl" },
  outdir: "out",
  write: false,
  plugins: [
    {
      // KaTeX offers each font in three formats; every browser that opens the page takes the first.
      name: "one-font-format",
      setup(builder) {
        builder.onLoad({ filter: /katex\.css$/ }, (args) => ({
          contents: readFileSync(args.path, "utf8").replace(
            /,\s*url\([^)]*\.(?:woff|ttf)\)\s*format\("[a-z]+"\)/g,
            "",
          ),
          loader: "css",
        }));
      },
    },
  ],
});
const files = Object.fromEntries(result.outputFiles.map((file) => [file.path.split(".").pop(), file.text]));
const guarded = files.js.replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--");
writeFileSync(
  process.argv[2] ?? "page.html",
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Study</title>
<!-- Made by distil/report/page/web (make page-bundle); its parts and their licences: web/LICENCES.md -->
<meta name="sources" content="sha256:${digest.digest("hex")}">
<style>${files.css.replaceAll("</style", "<\\/style")}</style>
</head>
<body>
<div id="page"><p class="waiting">Opening the study ...</p></div>
<noscript>This page needs JavaScript; the same claims are in claims/claims.html.</noscript>
<script>window.shards={};window.distil=function(name,data){var w=window.shards[name];typeof w==="function"?w(data):window.shards[name]=data}</script>
<script src="page/study.js"></script>
<script src="page/run.js"></script>
<script>${guarded}</script>
</body>
</html>
`,
);
