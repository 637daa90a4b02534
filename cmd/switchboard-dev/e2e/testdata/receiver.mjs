// A webhook receiver on Node's own HTTP server. It prints one JSON document a line:
// its port first, then every request as the server read it.
//
//   node receiver.mjs [--keep-alive-timeout MS] [--cert FILE --key FILE --client-ca FILE]
//
// With a certificate it speaks TLS 1.2, and asks for the client's certificate by
// renegotiation, after the request has come: as IIS does for a folder.
import fs from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { parseArgs } from 'node:util'

const { values: options } = parseArgs({
  options: Object.fromEntries(['keep-alive-timeout', 'cert', 'key', 'client-ca'].map((name) => [name, { type: 'string' }])),
})

function print(document) {
  process.stdout.write(JSON.stringify(document) + '\n')
}

function receive(request, response) {
  const body = []
  request.on('data', (part) => body.push(part))
  request.on('end', async () => {
    let client = ''
    if (options['client-ca']) {
      try {
        client = await clientOf(request.socket)
      } catch (error) {
        response.writeHead(403).end(String(error))
        return
      }
    }
    print({
      method: request.method, target: request.url, host: request.headers.host, headers: request.headers,
      body: Buffer.concat(body).toString('utf8'), client,
    })
    response.writeHead(200).end('taken')
  })
}

// clientOf asks for the client's certificate and answers with its common name.
function clientOf(socket) {
  return new Promise((resolve, reject) => {
    socket.renegotiate({ requestCert: true, rejectUnauthorized: true }, (error) => {
      if (error) reject(error)
      else resolve(socket.getPeerCertificate().subject?.CN ?? '')
    })
  })
}

const server = options.cert
  ? https.createServer({
      cert: fs.readFileSync(options.cert), key: fs.readFileSync(options.key), ca: fs.readFileSync(options['client-ca']),
      maxVersion: 'TLSv1.2',
    }, receive)
  : http.createServer(receive)
if (options['keep-alive-timeout']) server.keepAliveTimeout = Number(options['keep-alive-timeout'])
server.on('clientError', (error, socket) => {
  print({ refused: error.code ?? String(error) })
  socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
})
server.listen(0, '127.0.0.1', () => print({ port: server.address().port }))
