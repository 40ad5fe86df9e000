/** One request of each operation that does what it should, to be spoiled by tests. */
export type GoodRequest = { method: string; path: string; json?: Record<string, unknown> }

/** Who they are for, and a job of theirs that is queued. */
export function goodRequests(user: string, job: string): Record<string, GoodRequest> {
  return {
    generate: {
      method: 'POST',
      path: '/api/v1/generate',
      json: {
        model: 'gpt-image-1.5',
        input: {
          prompt: 'A futuristic city at sunset',
          images: ['https://example.com/input.jpg'],
          aspect_ratio: '16:9',
          num_outputs: 1,
          output_format: 'png',
          quality: 'low',
          provider_params: { sandbox: { latency_ms: 0, mode: 'sync', canned: true } },
        },
        priority: 5,
        webhook_url: 'https://hook.example.com/x',
        metadata: { screen: 'editor' },
      },
    },
    generateImage: {
      method: 'POST',
      path: '/api/v1/image/flux',
      json: {
        model: 'flux-2-klein',
        prompt: 'A futuristic city at sunset',
        references: ['https://example.com/input.jpg'],
        aspectRatio: '16:9',
        numOutputs: 1,
        outputFormat: 'png',
        seed: 7,
        providerOptions: { sandbox: { latency_ms: 0, mode: 'sync', canned: true } },
        priority: 5,
        webhook_url: 'https://hook.example.com/x',
        metadata: { screen: 'editor' },
      },
    },
    getJob: { method: 'GET', path: `/api/v1/jobs/${job}?explain=1` },
    listJobs: {
      method: 'GET',
      path: `/api/v1/jobs?status=queued&model=sdxl&user_id=${user}&limit=2&cursor=${job}`,
    },
    cancelJob: { method: 'POST', path: `/api/v1/jobs/${job}/cancel`, json: {} },
    deleteJob: { method: 'DELETE', path: `/api/v1/jobs/${job}` },
    getUser: { method: 'GET', path: `/api/v1/users/${user}` },
    listUsers: { method: 'GET', path: '/api/v1/users?limit=2&cursor=usr_00000000001' },
    createUser: {
      method: 'POST',
      path: '/api/v1/users',
      json: { external_id: user, metadata: { plan: 'free' } },
    },
    updateUser: {
      method: 'PATCH',
      path: `/api/v1/users/${user}`,
      json: { metadata: { plan: 'paid' }, is_active: true },
    },
    createUserToken: { method: 'POST', path: `/api/v1/users/${user}/token`, json: {} },
    grantTokens: {
      method: 'POST',
      path: `/api/v1/users/${user}/tokens`,
      json: { amount: 5, reason: 'a gift', type: 'bonus' },
    },
    grantTokensBatch: {
      method: 'POST',
      path: '/api/v1/users/tokens/batch',
      json: { grants: [{ external_id: user, amount: 5, reason: 'a gift' }] },
    },
    listTokenEntries: {
      method: 'GET',
      path: `/api/v1/users/${user}/tokens?limit=2&cursor=txn_00000000001`,
    },
    listModels: { method: 'GET', path: '/api/v1/models' },
    getModel: { method: 'GET', path: '/api/v1/models/sdxl' },
    getHealth: { method: 'GET', path: '/api/health' },
    getShortHealth: { method: 'GET', path: '/health' },
    getFile: { method: 'GET', path: '/files/fil_00000000001.png?exp=1&sig=AAAAAAAAAAAAAAAAAAAAAA' },
    receiveCallback: {
      method: 'POST',
      path: '/callbacks/sandbox/att_00000000001/AAAAAAAAAAAAAAAAAAAAAA',
      json: { status: 'succeeded' },
    },
    // Last, because the user is gone after it.
    deleteUser: { method: 'DELETE', path: `/api/v1/users/${user}` },
  }
}

/** Every place in a JSON value, as a list of keys. */
export function placesIn(value: unknown, at: (string | number)[] = []): (string | number)[][] {
  if (value === null || typeof value !== 'object') return [at]
  const inner = Object.entries(value).flatMap(([key, part]) => placesIn(part, [...at, key]))
  return at.length === 0 ? inner : [at, ...inner]
}

/** A copy with another value in one place. */
export function withAt<T>(value: T, at: (string | number)[], put: unknown): T {
  const [first, ...rest] = at
  if (first === undefined) return put as T
  const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>
  copy[first] = withAt(copy[first], rest, put)
  return copy as T
}
