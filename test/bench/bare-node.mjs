// The floor for a start: Node.js, and a server on stdio that knows nothing.
let rest = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (text) => {
  const lines = `${rest}${text}`.split('\n');
  rest = lines.pop();
  for (const line of lines) {
    const { id, params } = JSON.parse(line);
    if (id === undefined) continue;
    const result = {
      protocolVersion: params?.protocolVersion,
      capabilities: {},
      serverInfo: { name: 'bare-node', version: '1.0.0' },
    };
    process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`);
  }
});
