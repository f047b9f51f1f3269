// Kept for use without a network, where the browser allows it (https, or this machine): what the page has loaded goes
// into a cache, and a service worker, which controls this one page, answers from there when the network does not.

const CACHE = `addgcn-playground ${location.pathname}`; // as in playground-worker.js
const able = () => "caches" in window && "serviceWorker" in navigator;

/** Keep a file that was just downloaded. */
export async function keep(url, bytes, type) {
  if (!able()) return;
  try {
    const cache = await caches.open(CACHE);
    await cache.put(url, new Response(bytes, { headers: { "Content-Type": type ?? "application/octet-stream" } }));
  } catch { /* no room: the page works, but not offline */ }
}

/** Keep all that the page has loaded, drop what an older version left, and start the worker. Says whether it worked. */
export async function keepAll(worker, page) {
  if (!able()) return false;
  try {
    await navigator.serviceWorker.register(worker, { scope: page });
    const cache = await caches.open(CACHE), { origin } = location;
    const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
    const wanted = new Set([location.href, ...loaded].map((url) => url.split("#")[0]).filter((url) => url.startsWith(origin)));
    wanted.delete(String(worker));
    for (const { url } of await cache.keys()) if (!wanted.has(url)) await cache.delete(url);
    for (const url of wanted) if (!(await cache.match(url))) await cache.add(url);
    return true;
  } catch {
    return false;
  }
}
