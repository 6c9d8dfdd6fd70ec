//! Where a Redis is and how to log in to it: the options that the engine and user status share,
//! and the shards that they stand for.

use std::time::Duration;

use super::{
    RedisAddress, Secret,
    list::List,
    redis_address::{ClusterNodes, PORT, SentinelNodes},
    redis_shard::{Login, RedisPlace, RedisShard, Sentinels},
    redis_tls::TlsOptions,
    redis_url::{RedisUrl, UrlKind},
    section::{Findings, section},
};

section! {
    /// Where a Redis is and how to log in to it.
    pub struct RedisConnection {
        /// Addresses, one a shard; without any 127.0.0.1:6379, and for user status the engine's: `host:port`, `redis://…`, `rediss://…`, `unix://…`, `redis+sentinel://…`, `redis+cluster://…`.
        address: List<RedisUrl> = List::default(),
        /// Clusters, one a shard: some nodes of each as `host:port,host:port`; goes before the other addresses.
        cluster_address: List<ClusterNodes> = List::default(),
        /// Sentinels, one group a shard: `host:port,host:port`; goes before `address`.
        sentinel_address: List<SentinelNodes> = List::default(),
        /// Name under which the Sentinels watch the master.
        sentinel_master_name: String = String::new(),
        /// User to log in to Sentinels as.
        sentinel_user: String = String::new(),
        /// Password to log in to Sentinels with.
        sentinel_password: Secret = Secret::default(),
        /// Name that connections to Sentinels give themselves.
        sentinel_client_name: String = String::new(),
        /// TLS to Sentinels.
        sentinel_tls: TlsOptions = TlsOptions::default(),
        /// User to log in as; one in the address goes first.
        user: String = String::new(),
        /// Password to log in with; one in the address goes first.
        password: Secret = Secret::default(),
        /// Number of the database; one in the address goes first.
        db: u8 = 0,
        /// Name that connections give themselves.
        client_name: String = String::new(),
        /// TLS to Redis.
        tls: TlsOptions = TlsOptions::default(),
        /// How long connecting may take; one in the address goes first.
        connect_timeout: Duration = Duration::from_secs(1),
        /// How long a command may take; one in the address goes first.
        io_timeout: Duration = Duration::from_secs(4),
    }
}

// === impl RedisConnection ===

impl RedisConnection {
    /// Whether an option says where it is.
    pub(crate) fn is_placed(&self) -> bool {
        !(self.address.is_empty()
            && self.cluster_address.is_empty()
            && self.sentinel_address.is_empty())
    }

    /// Every shard, in the order in which they are configured: the order decides which channel is
    /// where.
    pub(crate) fn shards(&self) -> Vec<RedisShard> {
        self.placed().into_iter().map(|(_, shard)| shard).collect()
    }

    /// Every shard, and the option that says where it is, without its section.
    fn placed(&self) -> Vec<(String, RedisShard)> {
        let named = |name: &str, at: usize, of: usize| match of {
            1 => name.to_owned(),
            _ => format!("{name}[{at}]"),
        };
        let (clusters, sentinels) =
            (self.cluster_address.entries(), self.sentinel_address.entries());
        if !clusters.is_empty() {
            let shards = clusters.iter().enumerate().map(|(at, ClusterNodes(nodes))| {
                let place = RedisPlace::Cluster(nodes.clone());
                (named("cluster_address", at, clusters.len()), self.shard(place))
            });
            return shards.collect();
        }
        if !sentinels.is_empty() {
            let shards = sentinels.iter().enumerate().map(|(at, SentinelNodes(nodes))| {
                let place = RedisPlace::Sentinel(self.sentinels(nodes.clone()));
                (named("sentinel_address", at, sentinels.len()), self.shard(place))
            });
            return shards.collect();
        }
        let urls = self.address.entries();
        if urls.is_empty() {
            let here = RedisAddress::Tcp { host: "127.0.0.1".to_owned(), port: PORT };
            return vec![("address".to_owned(), self.shard(RedisPlace::Server(here)))];
        }
        let shards = urls
            .iter()
            .enumerate()
            .map(|(at, url)| (named("address", at, urls.len()), self.shard_of(url)));
        shards.collect()
    }

    /// A shard at `place` by the options alone.
    fn shard(&self, place: RedisPlace) -> RedisShard {
        RedisShard {
            place,
            login: Login { user: self.user.clone(), password: self.password.clone() },
            db: self.db,
            tls: self.tls.enabled.then(|| self.tls.settings()),
            client_name: self.client_name.clone(),
            connect_timeout: self.connect_timeout,
            io_timeout: self.io_timeout,
        }
    }

    fn sentinels(&self, addresses: Vec<RedisAddress>) -> Sentinels {
        Sentinels {
            addresses,
            master: self.sentinel_master_name.clone(),
            login: Login {
                user: self.sentinel_user.clone(),
                password: self.sentinel_password.clone(),
            },
            tls: self.sentinel_tls.enabled.then(|| self.sentinel_tls.settings()),
            client_name: self.sentinel_client_name.clone(),
        }
    }

    /// The shard of one address: what its URL says goes over the options.
    fn shard_of(&self, url: &RedisUrl) -> RedisShard {
        let addresses = url.addresses.clone();
        let place = match (url.kind, addresses.first()) {
            (UrlKind::Server | UrlKind::Socket, Some(one)) => RedisPlace::Server(one.clone()),
            (UrlKind::Sentinel, _) => RedisPlace::Sentinel(self.sentinels_of(url)),
            _ => RedisPlace::Cluster(addresses),
        };
        let options = self.shard(place);
        RedisShard {
            login: login(&url.user, &url.password, options.login),
            db: url.db.unwrap_or(options.db),
            tls: match (url.kind, url.tls) {
                (UrlKind::Socket, _) => None,
                (_, Some(true)) => Some(self.tls.settings()),
                _ => options.tls,
            },
            connect_timeout: url.connect_timeout.unwrap_or(options.connect_timeout),
            io_timeout: url.io_timeout.unwrap_or(options.io_timeout),
            ..options
        }
    }

    fn sentinels_of(&self, url: &RedisUrl) -> Sentinels {
        let options = self.sentinels(url.addresses.clone());
        let master = Some(&url.sentinel_master_name).filter(|name| !name.is_empty());
        Sentinels {
            master: master.unwrap_or(&options.master).clone(),
            login: login(&url.sentinel_user, &url.sentinel_password, options.login),
            tls: match url.sentinel_tls {
                Some(true) => Some(self.sentinel_tls.settings()),
                _ => options.tls,
            },
            ..options
        }
    }

    /// What holds for every connection to Redis.
    pub(super) fn check_times(&self, section: &str, findings: &mut Findings) {
        for (option, time) in
            [("connect_timeout", &self.connect_timeout), ("io_timeout", &self.io_timeout)]
        {
            findings.more_than_zero(&format!("{section}.{option}"), time);
        }
    }

    /// Names everything that is wrong with these options of `section`.
    pub(crate) fn check(&self, section: &str, findings: &mut Findings) {
        self.tls.check(&format!("{section}.tls"), findings);
        self.sentinel_tls.check(&format!("{section}.sentinel_tls"), findings);
        for (option, name) in [
            ("client_name", &self.client_name),
            ("sentinel_client_name", &self.sentinel_client_name),
        ] {
            let good = name.bytes().all(|byte| byte.is_ascii_graphic());
            let what = "expected ASCII without spaces, as CLIENT SETNAME takes it";
            findings.check(good, &format!("{section}.{option}: {what}"));
        }
        self.check_times(section, findings);
        self.check_places(section, findings);
        self.check_urls(section, findings);
        let placed = self.placed();
        for (at, (option, shard)) in placed.iter().enumerate() {
            for what in shard.wrong(section) {
                findings.check(false, &format!("{section}.{option}: {what}"));
            }
            if let Some((other, _)) =
                placed[..at].iter().find(|(_, other)| other.place_is_same(shard))
            {
                let what = format!("leads where {section}.{other} does: name every shard once");
                findings.check(false, &format!("{section}.{option}: {what}"));
            }
        }
    }

    /// Only the options of one place count; the order is that of Centrifugo.
    fn check_places(&self, section: &str, findings: &mut Findings) {
        let given = [
            ("cluster_address", !self.cluster_address.is_empty()),
            ("sentinel_address", !self.sentinel_address.is_empty()),
            ("address", !self.address.is_empty()),
        ];
        let mut given = given.into_iter().filter(|(_, given)| *given).map(|(option, _)| option);
        let Some(used) = given.next() else { return };
        for option in given {
            findings.warnings.push(format!("{section}.{option}: ignored, {section}.{used} is set"));
        }
    }

    /// What URLs say against the options beside them, and what they ask for in vain.
    fn check_urls(&self, section: &str, findings: &mut Findings) {
        if !self.cluster_address.is_empty() || !self.sentinel_address.is_empty() {
            return;
        }
        for url in self.address.entries() {
            for what in &url.ignored {
                findings.warnings.push(format!("{section}.address: {what}"));
            }
            for (off, on, option) in [
                (url.tls == Some(false), self.tls.enabled, "tls"),
                (url.sentinel_tls == Some(false), self.sentinel_tls.enabled, "sentinel_tls"),
            ] {
                let what = format!("{option}_enabled=false contradicts {section}.{option}.enabled");
                findings.check(!(off && on), &format!("{section}.address: parameter {what}"));
            }
            let socket = url.kind == UrlKind::Socket && self.tls.enabled;
            let what = "has no use with unix://, whose connections are never encrypted";
            findings.check(!socket, &format!("{section}.tls.enabled: {what}"));
        }
    }
}

fn login(user: &str, password: &Secret, options: Login) -> Login {
    Login {
        user: if user.is_empty() { options.user } else { user.to_owned() },
        password: if password.is_empty() { options.password } else { password.clone() },
    }
}

#[cfg(test)]
mod tests;
