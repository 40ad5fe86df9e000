/** Whether the caller has this version already, as `If-None-Match` says (RFC 9110; weak tags count too). */
export function isFresh(request: Request, etag: string): boolean {
  const known = request.headers.get('if-none-match')
  return known !== null && (known === '*' || known.includes(etag))
}
