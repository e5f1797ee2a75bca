package AuthGate::Page;

# A page of the gate as a browser's parser sees it.
#
#     my $page = AuthGate::Page->parse($response->body);
#     $page->field('rd')                    # the value of an input, as it would be sent
#     $page->shape                          # every tag with its attributes' names: what a visitor typed
#                                           # must not change it
#     $page->link                           # where the first link leads
#     $page->alert                          # what is announced as wrong
#     $page->notice                         # what is announced as news

use v5.36;

use HTML::Parser ();

sub parse ($class, $html) {
    my $self   = bless { fields => {}, shape => [], links => [], action => undef, alert => '', status => '' }, $class;
    my ($inside, $role) = ('', '');
    my $parser = HTML::Parser->new(
        api_version => 3,
        start_h     => [
            sub ($tag, $attribute) {
                push @{ $self->{shape} }, join ' ', $tag, sort grep { $_ ne 'autofocus' } keys %$attribute;
                $self->{fields}{ $attribute->{name} } = $attribute->{value} if $tag eq 'input';
                $self->{action} //= $attribute->{action} if $tag eq 'form';
                push @{ $self->{links} }, $attribute->{href} if $tag eq 'a';
                ($inside, $role) = ($tag, $attribute->{role}) if ($attribute->{role} // '') =~ /\A(?:alert|status)\z/;
            },
            'tagname, attr'
        ],
        end_h  => [ sub ($tag) { push @{ $self->{shape} }, "/$tag"; $inside = '' if $tag eq $inside }, 'tagname' ],
        text_h => [ sub ($text) { $self->{$role} .= $text if $inside }, 'dtext' ],
        comment_h => [ sub ($text) { push @{ $self->{shape} }, "comment $text" }, 'text' ],
    );
    $parser->utf8_mode(1);
    $parser->parse($html);
    $parser->eof;
    return $self;
}

sub field  ($self, $name) { return $self->{fields}{$name} }
sub fields ($self) { return [ sort keys %{ $self->{fields} } ] }
sub shape  ($self) { return join "\n", @{ $self->{shape} } }
sub link   ($self) { return $self->{links}[0] }
sub action ($self) { return $self->{action} }
sub alert  ($self) { return $self->{alert} }
sub notice ($self) { return $self->{status} }

1;
