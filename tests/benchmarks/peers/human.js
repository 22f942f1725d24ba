// Does as ours.py with @vladmandic/human, in WebAssembly; its one argument is the folder that npm
// installed it in.

const fs = require('fs');
const path = require('path');
const readline = require('readline');

const modules = path.resolve(process.argv[2], 'node_modules');
const { Human } = require(path.join(modules, '@vladmandic/human/dist/human.node-wasm.js'));

// Node's own fetch reads no files, as which the models come.
const overNetwork = globalThis.fetch;
globalThis.fetch = async (url, options) => {
  const name = String(url?.url ?? url);
  if (!name.startsWith('file://')) return overNetwork(url, options);
  const type = name.endsWith('.json') ? 'application/json' : 'application/octet-stream';
  return new Response(fs.readFileSync(name.slice('file://'.length)), { headers: { 'content-type': type } });
};

const off = { enabled: false };
const human = new Human({
  backend: 'wasm',
  wasmPath: path.join(modules, '@tensorflow/tfjs-backend-wasm/dist/'),
  modelBasePath: `file://${path.join(modules, '@vladmandic/human/models/')}`,
  cacheSensitivity: 0, // every picture is a new one
  debug: false,
  filter: off,
  gesture: off,
  body: off,
  hand: off,
  object: off,
  face: {
    enabled: true,
    detector: { maxDetected: 20 },
    iris: off,
    description: off,
    emotion: { enabled: true },
  },
});

async function main() {
  await human.load();
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const scene = JSON.parse(line);
    const pixels = new Int32Array(fs.readFileSync(scene.path));
    const tensor = human.tf.tensor(pixels, [1, scene.height, scene.width, 3], 'int32');
    const start = performance.now();
    const result = await human.detect(tensor);
    const ms = performance.now() - start;
    tensor.dispose();
    if (result.error) throw new Error(result.error);
    process.stdout.write(`${JSON.stringify({ ms, faces: result.face.length })}\n`);
  }
}

main();
