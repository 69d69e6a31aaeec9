// A worker that reads what is kept as Blobs and ends: as long as a Blob lives that was read from
// IndexedDB, its file stays on disk, and in a page only a garbage collection ends it.

// [text of the item, bytes of its photo or nothing].
async function read(item) {
  const text = item.blob ? await new Response(item.blob).text() : JSON.stringify(item);
  return [text, item.content && (await new Response(item.content).arrayBuffer())];
}

onmessage = (event) => {
  const request = indexedDB.open(event.data.db);
  request.onerror = () => postMessage([]);
  request.onsuccess = () => {
    const found = request.result.transaction(event.data.store).objectStore(event.data.store).getAll();
    found.onerror = () => postMessage([]);
    found.onsuccess = async () => {
      const items = await Promise.all(found.result.map(read));
      request.result.close();
      postMessage(items);
    };
  };
};
