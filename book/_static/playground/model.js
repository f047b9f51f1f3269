// The four models in one ONNX file, run by ONNX Runtime Web: one thread of WebAssembly, so that any static host will do.

import { keep } from "./offline.js";

/** The bytes of a file, telling how far it is; kept for use without a network. */
async function download(url, tell) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url.pathname.split("/").pop()}: the server answers ${answer.status}`);
  const total = Number(answer.headers.get("Content-Encoding") ? 0 : answer.headers.get("Content-Length"));
  const reader = answer.body.getReader(), parts = [];
  let size = 0;
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    parts.push(step.value);
    size += step.value.length;
    tell(`${(size / 1e6).toFixed(1)}${total ? ` of ${(total / 1e6).toFixed(1)}` : ""} MB`);
  }
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  await keep(url, bytes, answer.headers.get("Content-Type"));
  return bytes;
}

export class Model {
  constructor(about) {
    this.about = about;
    const C = about.classes.length, eye = Array.from({ length: C * C }, (_, k) => Number(k % (C + 1) === 0));
    this.swaps = { own: null, mean: about.means.flat(2), identity: about.dynamic.flatMap(() => eye) };
  }

  async load(base, tell) {
    const runtime = new URL(`${this.about.runtime}/`, base);
    this.ort = await import(new URL("ort.wasm.min.mjs", runtime));
    Object.assign(this.ort.env.wasm, { numThreads: 1, proxy: false, wasmPaths: runtime.href });
    const wasm = await download(new URL("ort-wasm-simd-threaded.wasm", runtime), (how) => tell(`the runtime, ${how}`));
    this.ort.env.wasm.wasmBinary = wasm.buffer;
    const bytes = await download(new URL(this.about.model, base), (how) => tell(`the models, ${how}`));
    tell("starting");
    this.session = await this.ort.InferenceSession.create(bytes, { executionProviders: ["wasm"], logSeverityLevel: 3 });
  }

  /** Run all four on an ImageData of 64 x 64. Returns arrays: scores, s_m, s_r [4][C], maps [4][C][H'][W'], A_d [2][C][C]
   *  (of this image), used: the A_d that was used, {graph: [C][C]}. Scores are logits. */
  async run(image, swap) {
    const { Tensor } = this.ort, { about } = this, C = about.classes.length, G = about.dynamic.length;
    const other = this.swaps[swap] ?? new Array(G * C * C).fill(0);
    const out = await this.session.run({
      pixels: new Tensor("uint8", new Uint8Array(image.data), [image.height, image.width, 4]),
      A: new Tensor("float32", Float32Array.from(other), [G, C, C]),
      share: new Tensor("float32", Float32Array.of(swap === "own" ? 0 : 1), []),
    });
    const results = Object.fromEntries(Object.entries(out).map(([name, { data, dims }]) => [name, nested(data, dims)]));
    const used = swap === "own" ? results.A_d : nested(other, [G, C, C]);
    results.used = Object.fromEntries(about.dynamic.map((graph, k) => [graph, used[k]]));
    return results;
  }
}

/** A flat array as arrays in arrays. */
function nested(data, dims) {
  if (dims.length === 1) return Array.from(data);
  const size = data.length / dims[0];
  return Array.from({ length: dims[0] }, (_, k) => nested(data.slice(k * size, (k + 1) * size), dims.slice(1)));
}
