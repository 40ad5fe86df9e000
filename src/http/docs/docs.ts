import { openapi } from '@elysiajs/openapi'
import { Elysia } from 'elysia'
import { requestIdOf, withDefaults } from '../guard'
import type { Document } from '../openapi'
import scalarPath from './scalar.js.gz' with { type: 'file' }
import scalar from './scalar.json'

/** Where the page gets its script: from us, so that it works without internet. */
const SCRIPT = `/docs/scalar-${scalar.version}.js`

/** The page needs its own script and inline styles, and may reach nobody but us. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** `/docs` the reference in a browser, `/docs/json` the document; `/swagger` leads there. */
export const docsRoutes = (document: Document) => {
  const json = JSON.stringify(document)
  const page = openapi({
    path: '/docs',
    specPath: '/docs/plugin.json',
    provider: 'scalar',
    documentation: { info: document.info as never },
    scalar: {
      url: '/docs/json',
      cdn: SCRIPT,
      withDefaultFonts: false,
      hideClientButton: true,
      showDeveloperTools: 'never',
      telemetry: false,
      agent: { disabled: true },
      mcp: { disabled: true },
    } as never,
  })
  return new Elysia({ name: 'docs' })
    .get('/docs', async ({ request }) => {
      const made = await page.handle(new Request('http://localhost/docs'))
      return answer(request, await made.text(), {
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': PAGE_POLICY,
        'cache-control': 'no-cache',
      })
    })
    .get('/docs/json', ({ request }) =>
      answer(request, json, {
        'content-type': 'application/json; charset=utf-8',
        'cache-control': 'no-cache',
      }),
    )
    .get(SCRIPT, ({ request }) =>
      answer(request, Bun.file(scalarPath), {
        'content-type': 'text/javascript; charset=utf-8',
        'content-encoding': 'gzip',
        'cache-control': 'public, max-age=31536000, immutable',
      }),
    )
    .get('/swagger', ({ request }) => answer(request, null, { location: '/docs' }, 302))
}

function answer(
  request: Request,
  body: string | Blob | null,
  headers: Record<string, string>,
  status = 200,
): Response {
  return withDefaults(new Response(body, { status, headers }), requestIdOf(request))
}
