// Answers the playground's requests: from the network, or, where there is none, from what the page has kept. Files
// whose names tell their version are never asked for twice.

const CACHE = `addgcn-playground ${new URL(self.registration.scope).pathname}`; // as in offline.js
const FIXED = /\/(runtime-[^/]+\/|model-[^/]+\.onnx)/;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && new URL(url).origin === self.location.origin) event.respondWith(answer(event.request));
});

async function answer(request) {
  const cache = await caches.open(CACHE), kept = await cache.match(request.url);
  if (kept && FIXED.test(request.url)) return kept;
  try {
    const fresh = await fetch(request);
    if (kept && fresh.ok && fresh.status === 200) await cache.put(request.url, fresh.clone());
    return fresh;
  } catch (error) {
    if (kept) return kept;
    throw error;
  }
}
