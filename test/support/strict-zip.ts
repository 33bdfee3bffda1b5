import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import { type Entry, fromBufferPromise, type ZipFile } from 'yauzl';

const firstFile = 0x04034b50;

/**
 * The files in a ZIP file by their names, read without any leniency: rejects names that leave the folder or are there
 * twice, encryption, sizes and checksums that are not those of the content, and bytes in front of the first or behind the end.
 */
export async function readStrictly(bytes: Buffer): Promise<Map<string, Buffer>> {
  const zip = await fromBufferPromise(bytes, { lazyEntries: true, strictFileNames: true, validateEntrySizes: true });
  if (bytes.readUInt32LE(0) !== firstFile) throw new Error('there is something in front of the first file');
  if (zip.comment !== '') throw new Error('there is something behind the end');
  const files = new Map<string, Buffer>();
  for await (const entry of zip.eachEntry()) {
    if (files.has(entry.fileName)) throw new Error(`${entry.fileName} is there twice`);
    files.set(entry.fileName, await contentOf(zip, entry));
  }
  return files;
}

async function contentOf(zip: ZipFile, entry: Entry): Promise<Buffer> {
  if (entry.isEncrypted()) throw new Error(`${entry.fileName} is encrypted`);
  const content = await buffer(await zip.openReadStreamPromise(entry));
  if (crc32(content) !== entry.crc32) throw new Error(`the checksum of ${entry.fileName} is wrong`);
  return content;
}
