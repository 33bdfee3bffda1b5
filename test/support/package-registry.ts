import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An npm registry on loopback that has one package in one version, and nothing else. */
export interface PackageRegistry {
  /** For `registry=` in .npmrc. */
  url: string;
  /** Paths that npm asked for. */
  requests: string[];
  close(): void;
}

export async function openPackageRegistry(
  manifest: { name: string; version: string },
  tarball: string,
): Promise<PackageRegistry> {
  const { name, version } = manifest;
  const bytes = await readFile(tarball);
  const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
  const tarballPath = `/${name}/-/${name}-${version}.tgz`;
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    requests.push(path);
    if (path === tarballPath) return void response.end(bytes);
    if (path !== `/${name}`) return void response.writeHead(404).end('{}');
    const dist = { tarball: `${url}${tarballPath.slice(1)}`, integrity };
    const document = { name, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, dist } } };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(document));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url, requests, close };
}
