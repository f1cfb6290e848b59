//! `turnpike login` and `turnpike logout`: a person's way in with the tenant's own issuer, and how it is kept.
//!
//! What is kept is a token that the control plane accepts, and the means to get the next one. Whether the control plane
//! trusts the issuer, and who the token speaks for, is for the control plane to say.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use clap::Args;
use serde::Serialize;
use turnpike_runtime::secret::Secret;

use crate::{failure::Failure, moment, output::Printer, session::Outcome};

mod code;
mod device;
mod issuer;
mod kept;
#[cfg(test)]
mod tests;

use issuer::{Form, Tokens, Web, claims_of, plain};
pub use kept::Folder;
use kept::Kept;

/// A token is renewed when it ends within this time, in microseconds.
const SOON: i64 = 60_000_000;
/// How long a token is good whose issuer does not say, in seconds.
const UNSAID: u64 = 300;

/// Log in with an issuer, so that no TURNPIKE_TOKEN is needed.
#[derive(Debug, Clone, Args)]
pub struct Login {
    /// The issuer's URL: what comes before /.well-known/openid-configuration
    #[arg(long, env = "TURNPIKE_ISSUER", value_name = "URL")]
    issuer: String,
    /// What the issuer calls this command: a public client, with redirect URI http://127.0.0.1/callback
    #[arg(long, env = "TURNPIKE_CLIENT_ID", value_name = "ID")]
    client_id: String,
    /// What to ask for, separated by spaces; offline_access is what brings a refresh token
    #[arg(
        long,
        value_name = "SCOPES",
        default_value = "openid profile email offline_access"
    )]
    scope: String,
    /// Ask for a token for this audience, where the issuer wants one named so
    #[arg(long, value_name = "TEXT")]
    audience: Option<String>,
    /// Ask for a token for this resource (RFC 8707)
    #[arg(long, value_name = "URL")]
    resource: Option<String>,
    /// Show the ID token to the control plane: for issuers whose access tokens are for themselves alone
    #[arg(long)]
    id_token: bool,
    /// Log in with a browser on another machine
    #[arg(long)]
    device: bool,
    /// Do not start a browser: show the URL alone
    #[arg(long)]
    no_browser: bool,
    /// Await the browser on this port of 127.0.0.1, for issuers that compare it. 0: any free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
}

/// What is asked of the issuer.
struct Asked {
    client_id: String,
    scope: String,
    audience: Option<String>,
    resource: Option<String>,
    port: u16,
}

impl Asked {
    /// The fields that every request has.
    fn form(&self) -> Form<'_> {
        let mut form = vec![
            ("client_id", self.client_id.as_str()),
            ("scope", self.scope.as_str()),
        ];
        form.extend(self.audience.as_deref().map(|audience| ("audience", audience)));
        form.extend(self.resource.as_deref().map(|resource| ("resource", resource)));
        form
    }
}

/// For whom, and with what, a login is made or used.
pub struct Place<'a> {
    /// The control plane that is shown the token.
    pub control_plane: &'a str,
    /// Certificates to trust besides the system's, PEM.
    pub ca_file: Option<&'a Path>,
    /// Where it is kept.
    pub folder: &'a Folder,
}

#[derive(Serialize)]
struct LoginView {
    issuer: String,
    client_id: String,
    control_plane: String,
    expires: Option<String>,
    renewed_by_itself: bool,
    file: PathBuf,
}

impl Login {
    /// Logs in, and keeps what that gives.
    pub async fn run(self, place: &Place<'_>, printer: &Printer) -> Result<Outcome, Failure> {
        let no_browser = self.no_browser;
        let kept = self.log_in(place, |shown| invite(shown, no_browser)).await?;
        place.folder.store(&kept)?;
        printer.one(&LoginView {
            issuer: kept.issuer,
            client_id: kept.client_id,
            control_plane: kept.control_plane,
            expires: moment::text(kept.expires_us),
            renewed_by_itself: kept.refresh_token.is_some(),
            file: place.folder.file(),
        })?;
        Ok(Outcome::Done)
    }

    async fn log_in(self, place: &Place<'_>, invite: impl FnOnce(&Shown<'_>)) -> Result<Kept, Failure> {
        let Self {
            issuer,
            client_id,
            scope,
            audience,
            resource,
            id_token,
            device,
            no_browser: _,
            port,
        } = self;
        let asked = Asked {
            client_id,
            scope,
            audience,
            resource,
            port,
        };
        let web = Web::new(place.ca_file)?;
        let found = web.discover(&issuer).await?;
        let tokens = match device {
            true => device::log_in(&asked, &web, &found, |given| invite(&Shown::Device(given))).await?,
            false => code::log_in(&asked, &web, &found, |url| invite(&Shown::Browser(url.as_str()))).await?,
        };
        let mut kept = Kept {
            control_plane: place.control_plane.to_owned(),
            issuer: found.issuer,
            client_id: asked.client_id,
            scope: asked.scope,
            audience: asked.audience,
            resource: asked.resource,
            id_token,
            token_endpoint: found.token_endpoint,
            revocation_endpoint: found.revocation_endpoint,
            bearer: String::new(),
            expires_us: 0,
            refresh_token: None,
        };
        kept.take(tokens)?;
        Ok(kept)
    }
}

impl Kept {
    /// The newest tokens; a refresh token that is not replaced stays (RFC 6749, section 6).
    fn take(&mut self, tokens: Tokens) -> Result<(), Failure> {
        let Tokens {
            access_token,
            expires_in,
            refresh_token,
            id_token,
        } = tokens;
        self.bearer = match self.id_token {
            false => access_token,
            true => id_token.ok_or_else(|| {
                Failure::local(
                    "the issuer gives no ID token; ask with --scope openid, or leave --id-token out",
                )
            })?,
        };
        let seconds = i64::try_from(expires_in.unwrap_or(UNSAID)).unwrap_or(i64::MAX);
        let from_now = || moment::now().saturating_add(seconds.saturating_mul(1_000_000));
        let own = self
            .id_token
            .then(|| claims_of(&self.bearer).get("exp")?.as_i64());
        self.expires_us = own
            .flatten()
            .map_or_else(from_now, |exp| exp.saturating_mul(1_000_000));
        self.refresh_token = refresh_token.or(self.refresh_token.take());
        Ok(())
    }

    fn ends_within(&self, micros: i64) -> bool {
        moment::now().saturating_add(micros) >= self.expires_us
    }
}

/// The token of the last login with this control plane, renewed if it ends soon; `None` if there is no such login.
pub async fn bearer(place: &Place<'_>) -> Result<Option<Secret>, Failure> {
    let ours = |kept: &Kept| kept.control_plane == place.control_plane;
    let Some(kept) = place.folder.load()?.filter(ours) else {
        return Ok(None);
    };
    if !kept.ends_within(SOON) {
        return Ok(Some(Secret::new(kept.bearer)));
    }
    let _alone = place.folder.lock()?;
    // Another command may have renewed it while this one waited.
    let Some(mut kept) = place.folder.load()?.filter(ours) else {
        return Ok(None);
    };
    if kept.ends_within(SOON) {
        renew(&mut kept, place).await?;
    }
    Ok(Some(Secret::new(kept.bearer)))
}

async fn renew(kept: &mut Kept, place: &Place<'_>) -> Result<(), Failure> {
    let over = |why: &str| {
        Failure::local(format!(
            "the login has ended{why}; run `turnpike login --issuer {} --client-id {}` again, or set TURNPIKE_TOKEN",
            plain(&kept.issuer),
            plain(&kept.client_id)
        ))
    };
    let Some(refresh_token) = kept.refresh_token.as_deref() else {
        return match kept.ends_within(0) {
            true => Err(over("")),
            false => Ok(()),
        };
    };
    let mut form: Form<'_> = vec![
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("client_id", &kept.client_id),
    ];
    form.extend(kept.audience.as_deref().map(|audience| ("audience", audience)));
    form.extend(kept.resource.as_deref().map(|resource| ("resource", resource)));
    let asked = Web::new(place.ca_file)?.tokens(&kept.token_endpoint, &form).await;
    match asked {
        Ok(Ok(tokens)) => {
            kept.take(tokens)?;
            place.folder.store(kept)
        }
        Ok(Err(refused)) if kept.ends_within(0) => {
            Err(over(&format!(": the issuer says {}", refused.sentence())))
        }
        Err(failure) if kept.ends_within(0) => Err(failure),
        // What is there is still good.
        _ => Ok(()),
    }
}

/// Forgets the login, and has the issuer forget it too where it can.
pub async fn log_out(folder: &Folder, ca_file: Option<&Path>) -> Result<Outcome, Failure> {
    let kept = folder.load();
    folder.remove()?;
    let Some(kept) = kept? else {
        say("There was no login.");
        return Ok(Outcome::Done);
    };
    let (Some(url), Some(token)) = (&kept.revocation_endpoint, &kept.refresh_token) else {
        say("Logged out here. The issuer was not told: its tokens end by themselves.");
        return Ok(Outcome::Done);
    };
    let form: Form<'_> = vec![
        ("token", token),
        ("token_type_hint", "refresh_token"),
        ("client_id", &kept.client_id),
    ];
    Web::new(ca_file)?.revoke(url, &form).await.map_err(|failure| {
        Failure::local(format!(
            "logged out here, but the issuer did not take the refresh token back: {failure}; end the session there"
        ))
    })?;
    say("Logged out.");
    Ok(Outcome::Done)
}

/// What somebody has to open.
enum Shown<'a> {
    Browser(&'a str),
    Device(&'a device::Invitation),
}

fn invite(shown: &Shown<'_>, no_browser: bool) {
    match shown {
        Shown::Browser(url) => {
            say(&format!(
                "Log in at\n\n  {url}\n\nWaiting for the browser to come back …"
            ));
            if !no_browser {
                open_browser(url);
            }
        }
        Shown::Device(device::Invitation { uri, code, complete }) => {
            let complete = complete
                .as_ref()
                .map_or(String::new(), |url| format!("\n\nor at\n\n  {url}"));
            say(&format!(
                "Log in at\n\n  {uri}\n\nwith the code {code}{complete}\n\nWaiting …"
            ));
        }
    }
}

/// Where there is none, the URL is on the screen.
fn open_browser(url: &str) {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let _ = Command::new(program)
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
}

/// To people, and so not on standard output, where results go.
fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
