//! Reads the URL of NATS: the servers, and the login for all of them.

use async_nats::ServerAddr;
use percent_encoding::percent_decode_str;

use super::InvalidNatsSettings;
use crate::secret::Secret;

/// The servers, and how to log in, which is kept apart from their addresses: those are logged when one is away.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) addresses: Vec<ServerAddr>,
    pub(super) login: Login,
}

/// What the URL says before the host.
#[derive(Debug)]
pub(super) enum Login {
    None,
    Token(Secret),
    User(String, Secret),
}

impl Servers {
    pub(super) fn parse(urls: &Secret) -> Result<Self, InvalidNatsSettings> {
        let mut servers = Self {
            addresses: Vec::new(),
            login: Login::None,
        };
        let urls = urls.expose().split(',').map(str::trim);
        for url in urls.filter(|url| !url.is_empty()) {
            servers.add(url).map_err(InvalidNatsSettings::Url)?;
        }
        if servers.addresses.is_empty() {
            return Err(InvalidNatsSettings::Url("it names no server".to_owned()));
        }
        Ok(servers)
    }

    fn add(&mut self, url: &str) -> Result<(), String> {
        let address: ServerAddr = url.parse().map_err(|error: std::io::Error| error.to_string())?;
        if !["nats", "tls"].contains(&address.scheme()) || address.host().is_empty() {
            return Err("a server is nats://HOST:PORT or tls://HOST:PORT".to_owned());
        }
        if let Some(user) = address.username() {
            // The client knows one login for all servers.
            self.login = match address.password() {
                Some(password) => Login::User(decoded(user), Secret::new(decoded(password))),
                None => Login::Token(Secret::new(decoded(user))),
            };
        }
        let mut bare = address.into_inner();
        if bare.set_username("").and(bare.set_password(None)).is_err() {
            return Err("its user and password cannot be read".to_owned());
        }
        let address = ServerAddr::from_url(bare).map_err(|error| error.to_string())?;
        self.addresses.push(address);
        Ok(())
    }

    /// For people.
    pub(super) fn places(&self) -> String {
        let urls: Vec<_> = self.addresses.iter().map(ServerAddr::as_url_str).collect();
        urls.join(",")
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_taken_from_the_url_as_it_was_meant() {
        let servers = Servers::parse(&Secret::new("nats://ann:p%40ss@a")).unwrap();
        assert!(
            matches!(servers.login, Login::User(user, password) if user == "ann" && password.expose() == "p@ss")
        );
        let servers = Servers::parse(&Secret::new("nats://t0ken@a")).unwrap();
        assert!(matches!(servers.login, Login::Token(token) if token.expose() == "t0ken"));
    }

    #[test]
    fn what_is_no_nats_server_is_refused_without_being_repeated() {
        for url in [
            "",
            " , ",
            "http://hunter2@a",
            "ws://hunter2@a",
            "nats://hunter2@:x",
            "nats://",
        ] {
            let error = Servers::parse(&Secret::new(url)).unwrap_err().to_string();
            assert!(
                error.starts_with("TURNPIKE_NATS_URL: ") && !error.contains("hunter2"),
                "{url}: {error}"
            );
        }
    }
}
