//! How to choose, and a worked example for each kind of issuer: those of the README, where a test runs them.

/// Of `turnpike issuer`.
pub(super) const CHOOSING: &str = "\
How to choose:
  Your identity provider (Okta, Entra, Keycloak …), for people and services: discovery, and
    --groups-claim, so that grants follow its groups.
  A platform that gives tokens to workloads (Kubernetes, GitHub Actions, clouds): discovery,
    --jwks-url or --jwks-file; virtual accounts by --subject, or one by --require. No secret is
    left to leak.
  An authorization server with opaque tokens: --introspection-url. The edge asks it about a token
    that it does not know; when it is down, such tokens are not accepted.
  Nothing of these: keys of virtual accounts (`turnpike credential create`).
Demand tokens where keys are not good enough:
  `turnpike grant create --method jwt:NAME --max-token-age 1h …`
See `turnpike issuer create --help` for an example of each.";

/// Of `turnpike issuer create`.
pub(super) const EXAMPLES: &str = "\
Examples:
  An OIDC provider: users by e-mail address, grants by group. This is Okta. Entra's url is
  https://login.microsoftonline.com/TENANT/v2.0; Keycloak's is https://HOST/realms/REALM, with
  --groups-claim /realm_access/roles:
    turnpike issuer create okta --url https://acme.okta.com/oauth2/default \\
      --audience api://turnpike --claim email --principal email --just-in-time \\
      --groups-claim groups
    turnpike grant create --to group:okta/engineers --role developer --environment production \\
      --method jwt:okta --max-token-age 1h

  Kubernetes service accounts: each is a virtual account, by its subject. The cluster's keys are
  in a file, since edges outside cannot reach it:
    kubectl get --raw /openid/v1/jwks > cluster.jwks
    turnpike issuer create cluster --url https://kubernetes.default.svc.cluster.local \\
      --jwks-file cluster.jwks --audience turnpike --claim sub --principal subject
    turnpike virtual-account create checkout --team payments \\
      --subject cluster/system:serviceaccount:shop:checkout

  An issuer without a metadata document, such as a service mesh's: name where its keys are. Here
  the tokens name virtual accounts:
    turnpike issuer create mesh --url https://mesh.acme.example \\
      --jwks-url https://mesh.acme.example/jwks --audience models.acme.example --claim sub \\
      --principal virtual-account-name
    turnpike virtual-account create invoices --team payments

  GitHub Actions: everybody on GitHub gets tokens of this issuer, so the claims must say whose
  are meant:
    turnpike virtual-account create release
    turnpike issuer create github --url https://token.actions.githubusercontent.com \\
      --audience https://acme.example/turnpike --principal virtual-account:release \\
      --require repository=acme/shop --require ref=refs/heads/main

  A cloud workload. This is Google. AWS' url is that of the account's outbound federation,
  https://ID.tokens.sts.global.api.aws, with --algorithm ES384 and the role's ARN as subject;
  Azure's is Entra's above, with the managed identity's object id:
    turnpike issuer create google --url https://accounts.google.com \\
      --audience https://batch.acme.example --claim sub --principal subject
    turnpike virtual-account create batch --team payments \\
      --subject google/103547991597142817347

  Opaque OAuth tokens, by introspection:
    turnpike issuer create sso --url https://sso.acme.example \\
      --introspection-url https://sso.acme.example/introspect --client-id turnpike \\
      --client-secret-from-env SSO_CLIENT_SECRET --audience turnpike \\
      --claim username --principal name";
