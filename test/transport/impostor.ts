// A process of its own, which trusts an authority that its environment names (NODE_EXTRA_CA_CERTS), as every
// process trusts those of the world: dials, with a secret, somebody whose certificate is of that authority.

import { once } from 'node:events'
import tls from 'node:tls'

import { secure } from '../../core/transport/security.ts'

const { cert, key } = JSON.parse(process.env['CERTIFICATE'] ?? '{}') as { cert: string; key: string }
const impostor = tls.createServer({ cert, key, minVersion: 'TLSv1.3' })
impostor.on('tlsClientError', () => {})
impostor.listen(0, '127.0.0.1')
await once(impostor, 'listening')
const { port } = impostor.address() as { port: number }

const trusting = tls.connect({ host: '127.0.0.1', port, servername: 'impostor.example' })
await once(trusting, 'secureConnect')
trusting.destroy()
console.log('trusted by its certificate')

const secured = secure({ kind: 'secret', secret: 'a secret of the cluster', clusterName: 'test' })
const outcome = await new Promise<string>((resolve) => {
  const ready = () => resolve('taken for a member')
  secured.dial({ host: '127.0.0.1', port }, ready, ({ message }) => resolve(message)).on('error', () => {})
})
console.log(outcome)
impostor.close()
