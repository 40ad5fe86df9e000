/** One request of each operation that does what it should, to be spoiled by tests. */
export type GoodRequest = { method: string; path: string; json?: Record<string, unknown> }

/** Who they are for, a job of theirs that is queued, a grant that they had and a charge. */
export function goodRequests(
  user: string,
  job: string,
  grant = 'txn_00000000001',
  charge = 'txn_00000000001',
): Record<string, GoodRequest> {
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
    estimate: {
      method: 'POST',
      path: '/api/v1/estimate',
      json: {
        model: 'gpt-image-1.5',
        input: { prompt: 'A heron', aspect_ratio: '16:9', num_outputs: 2, quality: 'low' },
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
    reverseGrant: {
      method: 'POST',
      path: `/api/v1/users/${user}/tokens/${grant}/reverse`,
      json: { reason: 'refunded' },
    },
    adjustTokens: {
      method: 'POST',
      path: `/api/v1/users/${user}/tokens/adjust`,
      json: { amount: -1, reason: 'a correction' },
    },
    getUserUsage: { method: 'GET', path: `/api/v1/users/${user}/usage` },
    getBalance: { method: 'GET', path: `/api/v1/users/${user}/balance` },
    listTokenEntries: {
      method: 'GET',
      path: `/api/v1/users/${user}/tokens?limit=2&cursor=txn_00000000001`,
    },
    chargeUser: {
      method: 'POST',
      path: `/api/v1/users/${user}/charges`,
      json: { amount: 1, reason: 'a service' },
    },
    reverseCharge: {
      method: 'POST',
      path: `/api/v1/users/${user}/charges/${charge}/reverse`,
      json: { reason: 'no service' },
    },
    getUsage: {
      method: 'GET',
      path: '/api/v1/usage?from=2026-01-01&to=2026-01-31&group=user&limit=2&cursor=usr_00000000001&format=json',
    },
    listPlans: { method: 'GET', path: '/api/v1/plans?limit=2&cursor=pln_00000000001' },
    listPlanTemplates: { method: 'GET', path: '/api/v1/plans/templates' },
    createPlan: {
      method: 'POST',
      path: '/api/v1/plans',
      json: { name: `free-${user}`, template: 'pro', period: 'week', ...PLAN },
    },
    setDefaultPlan: { method: 'PUT', path: '/api/v1/plans/default', json: { plan: null } },
    getPlan: { method: 'GET', path: `/api/v1/plans/basic-${user}` },
    updatePlan: { method: 'PATCH', path: `/api/v1/plans/basic-${user}`, json: PLAN },
    deletePlan: { method: 'DELETE', path: `/api/v1/plans/free-${user}` },
    setSubscription: {
      method: 'PUT',
      path: `/api/v1/users/${user}/subscription`,
      json: { plan: `basic-${user}`, source: 'free_shop', proration: 'tokens', when: 'now' },
    },
    getSubscription: { method: 'GET', path: `/api/v1/users/${user}/subscription` },
    cancelSubscription: {
      method: 'POST',
      path: `/api/v1/users/${user}/subscription/cancel`,
      json: {},
    },
    resumeSubscription: {
      method: 'POST',
      path: `/api/v1/users/${user}/subscription/resume`,
      json: {},
    },
    deleteSubscription: { method: 'DELETE', path: `/api/v1/users/${user}/subscription` },
    listModels: { method: 'GET', path: '/api/v1/models' },
    getModel: { method: 'GET', path: '/api/v1/models/sdxl' },
    listPrices: { method: 'GET', path: '/api/v1/prices' },
    getPrice: { method: 'GET', path: `/api/v1/prices/feature:${user}` },
    setPrice: {
      method: 'PUT',
      path: `/api/v1/prices/feature:${user}`,
      json: {
        rule: {
          base: '1.5',
          units: [{ of: 'images', price: '0.5', each: 1, free: 1, max: 10, absent: 0 }],
          factors: [{ name: 'margin', by: '1.2' }],
          growth: [{ of: 'iteration', by: 2, max: 3, absent: 0 }],
          minimum: 1,
          maximum: 1_000,
        },
      },
    },
    removePrice: { method: 'DELETE', path: `/api/v1/prices/feature:${user}` },
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

/** Every field of a plan that can be changed; its limits stop nobody. */
const PLAN = {
  display_name: 'Nearly free',
  tokens_per_period: 50,
  is_rollover: true,
  max_concurrent: 10_000,
  jobs_per_day: 1_000_000,
  tokens_per_day: 1_000_000_000,
  tokens_per_month: 1_000_000_000,
  micro_usd_per_day: 1_000_000_000,
  micro_usd_per_month: 1_000_000_000,
  models: ['sdxl', 'gpt-image-1.5'],
  kinds: ['image', 'image_edit'],
  strategy: 'cheapest',
  priority: 20,
  has_watermark: true,
  max_upload_bytes: 1_000_000,
  is_enabled: true,
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
