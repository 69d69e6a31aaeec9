// A worker that reads what is kept as Blobs and ends: as long as a Blob lives that was read from
// IndexedDB, its file stays on disk, and in a page only a garbage collection ends it.

async function texts(kept) {
  return Promise.all(kept.map((item) => (item.blob ? new Response(item.blob).text() : JSON.stringify(item))));
}

onmessage = (event) => {
  const request = indexedDB.open(event.data.db);
  request.onerror = () => postMessage([]);
  request.onsuccess = () => {
    const found = request.result.transaction(event.data.store).objectStore(event.data.store).getAll();
    found.onerror = () => postMessage([]);
    found.onsuccess = async () => {
      const read = await texts(found.result);
      request.result.close();
      postMessage(read);
    };
  };
};
