import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface ConnectProxy extends AsyncDisposable {
  /** For HTTPS_PROXY. */
  url: string;
  port: number;
  /** The `host:port` of every tunnel asked for, in order. */
  hosts: string[];
  /** The raw head of every request, to look for what must not be in it. */
  heads: string[];
  close(): Promise<void>;
}

/** An HTTP proxy whose every tunnel ends at one local server, whatever host was asked for. */
export async function startConnectProxy(target: { host: string; port: number }): Promise<ConnectProxy> {
  const hosts: string[] = [];
  const heads: string[] = [];
  const open = new Set<Socket>();
  const keep = (socket: Socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    // Either side may go at any time; the other one learns of it by its own end.
    socket.on("error", () => socket.destroy());
  };

  const server = createServer((client) => {
    keep(client);
    let seen = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      seen = Buffer.concat([seen, chunk]);
      const end = seen.indexOf("\r\n\r\n");
      if (end < 0) return;
      client.off("data", onData);
      client.pause();
      const head = seen.toString("latin1", 0, end);
      heads.push(head);
      const host = /^CONNECT (\S+) HTTP/.exec(head)?.[1];
      if (!host) return void client.end("HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n");
      hosts.push(host);
      const onward = connect(target, () => {
        client.write("HTTP/1.1 200 Connection established\r\n\r\n");
        onward.write(seen.subarray(end + 4));
        client.pipe(onward);
        onward.pipe(client);
      });
      keep(onward);
      client.on("close", () => onward.destroy());
      onward.on("close", () => client.destroy());
    };
    client.on("data", onData);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${port}`, port, hosts, heads, close, [Symbol.asyncDispose]: close };
}
